"""What is written from right to left begins where it is seen, and turns nothing round that stands beside it."""

from tests.gateway.browser import Page
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.living import Client, Gateway

_ARABIC = "غروب الشمس فوق التلال القديمة قرب البحيرة الكبيرة في نهاية الصيف " * 4
_SEES_BEGINNING = """(element) => {
    const first = document.createRange();
    const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
    first.setStart(text, 0);
    first.setEnd(text, 1);
    const [letter, frame] = [first.getBoundingClientRect(), element.getBoundingClientRect()];
    return letter.left >= frame.left - 1 && letter.right <= frame.right + 1;
}"""
_TURNS = """import('/modules/dom.js').then(({ el, outsideLink }) => {
    const sentence = document.createTextNode(' was refused');
    const line = el('p', {}, outsideLink('https://example.org/\\u202egpj.exe'), sentence);
    document.body.append(line);
    const place = (at) => {
        const letter = document.createRange();
        letter.setStart(sentence, at);
        letter.setEnd(sentence, at + 1);
        return letter.getBoundingClientRect().left;
    };
    return place(1) > place(sentence.length - 1);
})"""


async def _begins(page: Page, selector: str) -> bool:
    """Tell whether the first letter of what an element says is within its frame."""
    await page.until(f"document.querySelector('{selector}')?.textContent")
    seen: bool = await page.run(f"({_SEES_BEGINNING})(document.querySelector('{selector}'))")
    return seen


async def test_the_beginning_of_a_long_title_is_what_is_seen_of_it(board: Page, gateway: Gateway, ann: Client) -> None:
    shown = await show_picture(gateway, ann, title=_ARABIC.strip(), mapped=False)
    await ann.post("/chapters/tests/images/scenes/1", {"scene_description": _ARABIC.strip()})
    assert await _begins(board, ".tile-title")
    assert await _begins(board, ".job-subject")
    await board.run(f"location.hash = 'image={shown.image_id}'")
    assert await _begins(board, "#viewer-title")
    assert await board.run("getComputedStyle(document.querySelector('#viewer-title')).direction") == "rtl"


async def test_an_address_that_turns_letters_round_turns_nothing_beside_itself(board: Page) -> None:
    assert await board.run(_TURNS) is False


async def test_people_write_from_the_side_on_which_their_script_begins(board: Page) -> None:
    await board.run("document.querySelector('#new-work').click()")
    await board.run("document.querySelector('dialog.sheet input[value=draw]').click()")
    for field in ("#search-words", "dialog.sheet textarea"):
        await board.run(f"document.querySelector('{field}').value = 'שקיעה'")
        assert await board.run(f"getComputedStyle(document.querySelector('{field}')).direction") == "rtl", field
