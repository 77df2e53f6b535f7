"""The numbers beside the sliders are those that a person will get, and only what was moved is sent."""

import pytest
from browsed import View
from selenium.webdriver.common.keys import Keys
from served import micrographs, pick, pick_beside, served
from test_page_browser import SLIDE

from cryopick_ray.page.run_source import POLL_SECONDS

MEND = "const saver = await import('./static/ui/saver.js'); saver.exclude([0], true);"
REMOVE = """
const {state} = await import('./static/ui/state.js');
const saver = await import('./static/ui/saver.js');
const {n, x_px, y_px, unpicked} = state.candidates.value;
const picks = [...Array(n).keys()].filter((k) => unpicked[k] === 0).slice(0, 3);
saver.decide(picks.map((k) => ({action: 'remove', x_px: x_px[k], y_px: y_px[k]})));
"""
WORDS = """
return [...document.querySelectorAll('#run-commands code')].map((code) => code.textContent.split(' '));
"""
TABLE = "const {state} = await import('./static/ui/state.js'); return state.histogram.value?.all.from(0);"


def number(text):
    return int(text.removeprefix("≈ ").replace(",", ""))


def test_the_big_number_is_the_one_that_a_person_will_get(look):
    look.open(2)
    look.js(REMOVE)
    look.rows()
    look.js(MEND)
    look.rows()
    picks = look.page.json("api/micrographs")["columns"]["picks"]
    look.wait(lambda: look.text("picks-all") == f"{sum(picks):,}")
    look.wait(lambda: look.text("summary").endswith(f", {sum(picks):,} picks"))
    candidates = look.page.json("api/micrographs")["columns"]["candidates"]
    assert look.text("candidates-all") == f"{sum(candidates):,}"
    assert "before corrections" in look.text("exact-told")
    for share in (0.2, 0.6):
        # read in the same breath: a moment later the exact number may stand there
        near = look.js(f"{SLIDE} return document.getElementById('picks-all').textContent;", share=share)
        exact = int(look.page.counts(look.state("cut")["threshold"]).sum())
        assert near.startswith("≈ ")
        look.wait(lambda exact=exact: look.text("picks-all") == f"{exact:,}")
        assert f"{exact:,} pick" in look.text("exact-told")
        plain = look.js("""
        const {state} = await import('./static/ui/state.js');
        const {head, all} = state.histogram.value;
        return all.from(head.score_stops.findIndex((stop) => stop >= state.cut.value.threshold));
        """)
        assert abs(number(near) - exact) < abs(plain - exact)
    assert look.errors() == []


@pytest.mark.usefixtures("at_once")
def test_a_run_that_begins_empty_is_counted_as_it_grows(browser, tmp_path):
    folder = tmp_path / "micrographs"
    micrographs(folder, ["a.mrc"])
    pick(folder, tmp_path / "run")
    with served(tmp_path / "run", by="ana") as page:
        look = View(browser, page)
        before = look.wait(lambda: look.js(TABLE))
        micrographs(folder, ["b.mrc"])
        pick_beside(folder, tmp_path / "run", "--resume")
        page.session.opened.run._looked = -POLL_SECONDS
        look.wait(lambda: (look.js(TABLE) or 0) > before)
        look.wait(lambda: look.js(TABLE) == int(page.counts(-1000).sum()))
        look.wait(
            lambda: number(look.text("picks-all")) == sum(page.json("api/micrographs")["columns"]["picks"])
        )


@pytest.mark.usefixtures("at_once")
def test_only_what_was_moved_is_sent_and_shown(look):
    look.wait(lambda: look.id("threshold").is_enabled())
    look.id("tab-run").click()
    [shown] = look.js(WORDS)
    assert not any(word.startswith(("--threshold", "--smallest")) for word in shown)
    look.id("export").click()
    job = look.wait(lambda: look.page.json("api/jobs"))[0]
    assert "--threshold" not in job["command"]
    look.page.wait(job["job"])
    look.js(SLIDE, share=0.7)
    look.wait(lambda: look.state("cut")["threshold"] > 0)
    [shown] = look.js(WORDS)
    look.id("apply").click()
    sent = look.wait(lambda: [record for record in look.page.json("api/jobs") if record["what"] == "apply"])[
        0
    ]
    assert sorted(shown) == sorted(sent["command"].split(" "))
    assert any(word.startswith("--threshold=") for word in shown)
    assert look.page.wait(sent["job"])["state"] == "done"
    look.wait(lambda: not any(word.startswith("--threshold=") for word in look.js(WORDS)[0]))


def test_what_is_no_number_changes_nothing(look):
    look.wait(lambda: look.id("threshold").is_enabled())
    before, field = look.state("cut"), look.id("threshold-exact")
    text = field.get_attribute("value")
    for written in ("", "abc", "0,8", "1e999"):
        field.send_keys(Keys.CONTROL + "a")
        field.send_keys(Keys.DELETE)
        field.send_keys(written, Keys.TAB)
        assert look.state("cut") == before, written
        assert look.id("threshold-exact").get_attribute("value") == text, written
    field.send_keys(Keys.CONTROL + "a")
    field.send_keys("0.25", Keys.ENTER)
    look.wait(lambda: look.state("cut")["threshold"] == 0.25)


def test_files_can_be_mended_and_exported_and_nothing_else_is_offered(browser, picked, tmp_path):
    sources, more = picked / "truth", {"micrographs": str(picked / "micrographs"), "diameter_A": 150.0}
    with served(sources, curation=tmp_path / "c", by="ana", **more) as page:
        look = View(browser, page)
        look.wait(lambda: look.text("scoreless"))
        assert not look.id("threshold").is_displayed()
        assert not look.id("threshold-exact").is_enabled()
        look.wait(lambda: look.text("picks-all") == "100")
        look.id("tab-run").click()
        assert [look.id(name).is_enabled() for name in ("apply", "preview", "export")] == [False, False, True]
        assert "cryopick view RUN" in look.text("why-no-run")
        look.id("export").click()
        job = look.wait(lambda: page.json("api/jobs"))[0]
        assert page.wait(job["job"])["state"] == "done"
        look.js(REMOVE)
        look.id("tab-teach").click()
        assert not look.id("teach-start").is_enabled()
        assert "cryopick view RUN" in look.id("teach").text
