"""SpamAssassin, as installed by Debian, on the message a subscriber gets."""

from __future__ import annotations

import re
import subprocess

from distributor.render.renditions import render
from distributor.render.templates import Templates, builtin_templates
from distributor.sending.sample import sample_message
from tests.fakes.benches import make_settings
from tests.fakes.newsletters import wic_issue


def test_the_wic_issue_scores_at_most_0_4(tmp_path):
    settings = make_settings(
        tmp_path,
        newsletter="WIC News",
        publisher="World Internet Conference",
        postal_address="1 Example Street, Beijing, China",
    )
    issue = wic_issue()
    renditions = render(issue, settings.brand, Templates([builtin_templates()]))
    message = sample_message(settings, issue, renditions)
    judged = subprocess.run(
        ["spamassassin", "-L", "-t"], input=message, capture_output=True, check=True
    )
    text = judged.stdout.decode("utf-8", "replace")
    found = re.search(r"X-Spam-Status: \w+, score=(-?[\d.]+)", text)
    assert found, text[:2000]
    assert float(found[1]) <= 0.4, text[-1500:]
