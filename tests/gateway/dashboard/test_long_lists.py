"""Lists of thousands are walked to their end, and nobody who reads far down is thrown back to the top."""

from typing import Final

from tests.gateway.browser import Page
from tests.gateway.living import Gateway

_JOBS: Final = 260
_LIST: Final = """import('/modules/jobs.js').then(async ({ Jobs }) => {
    const all = Array.from({ length: %d }, (_, place) => ({
        id: `job-${place}`, root_id: `job-${place}`, parent_id: null, kind: 'media.fetch_media.v1', service: 'media',
        state: 'completed', attempt: 1, error: null, request: { url: `https://example.org/${place}` },
        created_at: new Date(2e12 - place * 1000).toISOString(), children: { items: [], next_cursor: null },
        tree: { total: 0, failed: 0, ended: true, failures: [] },
    }));
    const get = async (path, { limit, cursor }) => {
        if (path !== '/jobs') return all.find(({ id }) => path.endsWith(`/${id}`));
        const begin = Number(cursor ?? 0);
        const end = begin + limit;
        return { items: all.slice(begin, end), next_cursor: end < all.length ? String(end) : null };
    };
    window.jobs = new Jobs({ get }, { onActive: () => {} });
    document.body.append(jobs.element);
    await jobs.load();
})"""
_ROWS: Final = "document.querySelectorAll('.work-panel > .jobs > .job').length"
_MORE: Final = "document.querySelector('.jobs-below .button')"
_PAGES: Final = """import('/modules/operating/pages.js').then(({ Pages }) => {
    const at = (place) => String(1e6 - place);
    const page = (begin) => ({
        items: Array.from({ length: 50 }, (_, place) => ({ id: `job-${begin + place}`, at: at(begin + place) })),
        next_cursor: String(begin + 50),
    });
    const list = new Pages(50, (one) => one.at);
    for (let begin = 0; begin < 700; begin += 50) list.take(page(begin), begin > 0);
    list.take(page(0)); // the newest are asked for again, as every few seconds
    return [list.items.length, list.cursor];
})"""
_NEWS: Final = """import('/modules/operating/pages.js').then(({ Pages }) => {
    const list = new Pages(50, (one) => one.at);
    list.take({ items: [{ id: 'first', at: '0' }], next_cursor: null });
    for (let place = 0; place < 600; place += 1) list.put({ id: `news-${place}`, at: String(1000 + place) });
    list.take({ items: [{ id: 'last', at: '9999' }], next_cursor: 'more' });
    return [list.items.length, list.cursor];
})"""

_FAILURES: Final = """import('/modules/failures.js').then(({ Failures }) => {
    const all = Array.from({ length: 250 }, (_, place) => ({
        id: `job-${place}`, kind: 'media.fetch_media.v1', error: { code: 'http_404', sentence: 'Gone.' }, request: {},
        retried_as: place < 200 ? 'another' : null, created_at: new Date().toISOString(),
    }));
    const get = async (path, { limit, cursor }) => {
        const begin = Number(cursor ?? 0);
        const end = begin + limit;
        return { items: all.slice(begin, end), next_cursor: end < all.length ? String(end) : null };
    };
    const failures = new Failures({ get }, { onJob: () => {} });
    document.body.append(failures.element);
    failures.begin();
})"""


async def test_what_failed_is_not_hidden_behind_what_was_done_again(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('.door')")
    await page.run(_FAILURES)
    await page.until("document.querySelector('.failures-box h3')?.innerText.includes('50 failures')")


async def test_every_job_is_reached_by_asking_for_more(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('.door')")
    await page.run(_LIST % _JOBS)
    for wanted in range(25, _JOBS, 25):
        assert await page.run(_ROWS) == wanted
        await page.run(f"{_MORE}.click()")
        await page.until(f"{_ROWS} > {wanted} && !document.querySelector('.jobs-below [role=progressbar]')")
    assert await page.run(_ROWS) == _JOBS
    assert await page.run(_MORE) is None


async def test_what_was_asked_for_stays_when_the_newest_are_asked_for_again(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('.door')")
    assert await page.run(_PAGES) == [700, "700"]


async def test_what_comes_by_itself_does_not_pile_up(page: Page, gateway: Gateway) -> None:
    await page.open(gateway.url)
    await page.until("document.querySelector('.door')")
    assert await page.run(_NEWS) == [1, "more"]
