"""What browsers, mail clients and feed readers fetch."""
