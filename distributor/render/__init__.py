"""One content model in; email HTML, text, feeds and web page out."""
