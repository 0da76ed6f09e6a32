"""No script of a page reaches what is not public, whichever way it takes."""

import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from services.scraper.rendering import homes, loading
from services.scraper.rendering.loading import Loading
from shared.errors import Refused
from tests.living import until
from tests.scraper.rendering.windows import Window, needs_chromium, outside, window
from tests.scraper.site import Site
from tests.shared.strangers import PUBLIC_ADDRESS, Stranger, StubResolver, answer

pytestmark = needs_chromium

SCRIPT = "text/javascript"
judge = Loading._judge
ATTACKS = """
const told = {};
const note = (name, doing) => doing.then(() => told[name] = 'came', () => told[name] = 'refused');
const get = url => fetch(url).then(answer => answer.text());
const element = (name, fields) => document.head.append(Object.assign(document.createElement(name), fields));
const trap = 'http://127.0.0.1:TRAP', sends = [
  () => element('iframe', {src: trap + '/frame'}), () => element('script', {src: trap + '/script'}),
  () => element('link', {rel: 'stylesheet', href: trap + '/style'}), () => element('img', {src: trap + '/image'}),
  () => element('script', {type: 'speculationrules', textContent: JSON.stringify(
          Object.fromEntries(['prefetch', 'prerender'].map(how => [how, [{urls: [trap + '/' + how]}]])))}),
  () => element('link', {rel: 'preconnect', href: trap}), () => element('link', {rel: 'prefetch', href: trap + '/pre'}),
  () => element('embed', {src: trap + '/embed'}), () => element('video', {src: trap + '/video'}),
  () => element('iframe', {sandbox: 'allow-scripts',
          srcdoc: "<script>setInterval(() => fetch('http://example.com/framed'), 50)</" + 'script>'}),
  () => element('iframe', {src: 'file:///etc/passwd'}), () => element('iframe', {src: 'chrome://version'}),
  () => new WebSocket(trap.replace('http', 'ws')), () => new EventSource(trap + '/events'),
  () => navigator.sendBeacon(trap + '/beacon', 'x'), () => open(trap + '/window'), () => new Worker('/worker.js'),
  () => navigator.serviceWorker.register('/service.js'), () => navigator.serviceWorker.register('/service.js?2'),
  () => { const form = Object.assign(document.createElement('form'), {action: trap, method: 'post'});
          document.head.append(form); form.submit() },
  async () => { const call = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:DATAGRAMS'}]});
          call.createDataChannel('x'); await call.setLocalDescription(await call.createOffer()) },
  () => { location.href = 'file:///etc/passwd' }, () => { location.href = 'chrome://settings' },
];
for (const send of sends) try { Promise.resolve(send()).catch(() => {}) } catch {}
const waits = ['', '0', '[::1]', '127.1', '2130706433', 'localhost', 'inner.example', '169.254.169.254'].map(
  name => note('at ' + name, get(`http://${name || '127.0.0.1'}:TRAP/`)));
waits.push(note('redirect', get('/away')), note('file', get('file:///etc/passwd')), note('chrome', get('chrome://version')));
waits.push(note('turns inward', get('http://rebinding.example/').then(() => get('http://rebinding.example/?again'))));
waits.push(note('control', get('http://example.com/')));
Promise.all(waits).then(() => { document.title = JSON.stringify(told) });
"""

FRAME_COUNT = 8
# Each frame asks in the moment in which it begins, and the page itself goes on asking until all have told what came.
FRAMES = """
<title>none</title><body><script>
const told = {}, asking = setInterval(() => fetch('http://example.com/page').then(() => note('page', 'came')), 100);
const note = (name, came) => {
  told[name] = came;
  document.title = JSON.stringify(told);
  if (Object.keys(told).length > COUNT) clearInterval(asking);
};
addEventListener('message', event => note(...event.data));
for (let i = 0; i < COUNT; i++) {
  const tell = came => `() => parent.postMessage(['frame ${i}', '${came}'], '*')`;
  const srcdoc = `<script>fetch('http://example.com/frame').then(${tell('came')}, ${tell('refused')})</` + 'script>';
  document.body.append(Object.assign(document.createElement('iframe'), {sandbox: 'allow-scripts', srcdoc}));
}
</script>
""".replace("COUNT", str(FRAME_COUNT))

# The page asks by itself first, and goes on: who knows the way out by then could ask what nobody has decided on.
UNDECIDED = """
<title>none</title><body><script>
const ahead = JSON.stringify(Object.fromEntries(['prefetch', 'prerender'].map(
  how => [how, [{urls: ['/' + how], eagerness: 'immediate'}]])));
const opens = where => `for (const host of ['ws', 'wss']) new WebSocket(host + '://example.com/${where}');`;
const page = () => fetch('http://example.com/page');
(async () => {
  await page();
  document.head.append(Object.assign(document.createElement('script'), {type: 'speculationrules', textContent: ahead}));
  try { eval(opens('socket')) } catch {}
  for (const sandbox of ['allow-scripts', 'allow-scripts allow-same-origin']) {
    const srcdoc = `<script>${opens('framed')}</` + 'script>';
    document.body.append(Object.assign(document.createElement('iframe'), {sandbox, srcdoc}));
    document.body.append(Object.assign(document.createElement('iframe'), {sandbox, src: 'data:text/html,' + srcdoc}));
  }
  for (let i = 0; i < 20; i++) { await page(); await new Promise(done => setTimeout(done, 100)); }
  document.title = '{"page": "came"}';
})();
</script>
"""


@contextmanager
def datagrams() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trap:
        trap.bind(("127.0.0.1", 0))
        trap.setblocking(False)
        yield trap


def hostile(site: Site, trap: Stranger, datagram_port: int = 9) -> None:
    script = ATTACKS.replace("TRAP", str(trap.port)).replace("DATAGRAMS", str(datagram_port))
    site.say("/", f"<title>none</title><body><script>{script}</script>")
    site.say("/away", status=302, headers=[("Location", f"http://127.0.0.1:{trap.port}/redirected")])
    inward = f"fetch('http://127.0.0.1:{trap.port}/from-a-worker', {{mode: 'no-cors'}});"
    site.say("/worker.js", inward, content_type=SCRIPT)
    site.say("/service.js", f"{inward} addEventListener('install', () => skipWaiting())", content_type=SCRIPT)


@asynccontextmanager
async def attacked(
    dialled: list[str], *, allow_trap: bool = False
) -> AsyncIterator[tuple[Window, Stranger, Stranger, socket.socket]]:
    names = {"rebinding.example": [PUBLIC_ADDRESS], "example.com": [PUBLIC_ADDRESS], "inner.example": ["127.0.0.1"]}
    resolver = StubResolver(names, {"rebinding.example": ["127.0.0.1"]})
    async with Site() as site, Stranger() as trap, outside(resolver, dialled) as (public, options):
        public.otherwise = trap.otherwise = answer(b"here", headers=[("Access-Control-Allow-Origin", "*")])
        allow = frozenset({("127.0.0.1", trap.port)} if allow_trap else ())
        with datagrams() as datagram_trap:
            hostile(site, trap, datagram_trap.getsockname()[1])
            async with window(site, allow=allow, **options) as shown:
                yield shown, trap, public, datagram_trap


def told(html: str) -> dict[str, str]:
    found = re.search(r"<title>(.*?)</title>", html)
    assert found
    return dict(json.loads(found[1]))


async def let_pass(page: Any, paused: dict[str, Any], frame: str) -> None:
    """Judge documents and frames alone, as if nothing else were held back in the browser."""
    if paused["resourceType"] == "Document" or paused["frameId"] != frame:
        await judge(page, paused, frame)
    else:
        await page._let_out(paused)


async def let_frames_pass(page: Any, paused: dict[str, Any], frame: str) -> None:
    if paused["resourceType"] != "Document" and paused["frameId"] != frame:
        await page._let_out(paused)
    else:
        await judge(page, paused, frame)


@pytest.mark.parametrize("held_back", [True, False])
async def test_no_way_leads_inward(monkeypatch: pytest.MonkeyPatch, *, held_back: bool) -> None:
    """What the browser itself holds back is one wall; the proxy is the other, and holds alone."""
    if not held_back:
        monkeypatch.setattr(Loading, "_judge", let_pass)
        monkeypatch.setattr(loading, "_POLICY", "worker-src *")
    dialled: list[str] = []
    async with attacked(dialled) as (shown, trap, public, datagram_trap):
        html = (await shown.shown()).html
        came = told(html)

        assert came.pop("control") == "came"
        assert set(came.values()) == {"refused"}, came
        assert len(came) == 12
        assert "root:" not in html
        assert trap.connections == 0, trap.asked
        assert not [one for one in public.asked if one.target == "/framed"]
        with pytest.raises(BlockingIOError):
            datagram_trap.recv(1)
        assert dialled.count(PUBLIC_ADDRESS) == len(dialled) == 2
        assert {refused.code for refused in shown.proxies[0].refused} >= {"address_refused"}


async def test_frames_ask_for_nothing_from_their_first_breath_on() -> None:
    dialled: list[str] = []
    async with Site() as site, outside(StubResolver({"example.com": [PUBLIC_ADDRESS]}), dialled) as (public, options):
        public.otherwise = answer(b"here", headers=[("Access-Control-Allow-Origin", "*")])
        site.say("/", FRAMES)
        async with window(site, **options) as shown:
            html = (await shown.shown()).html
        assert told(html) == {f"frame {number}": "refused" for number in range(FRAME_COUNT)} | {"page": "came"}
        assert {one.target for one in public.asked} == {"/page"}


async def asked_undecided() -> set[str]:
    """Show a page that wants sockets, and other pages beforehand; give what else was asked of anybody."""
    async with Site() as site, outside(StubResolver({"example.com": [PUBLIC_ADDRESS]}), []) as (public, options):
        public.otherwise = answer(b"here", headers=[("Access-Control-Allow-Origin", "*")])
        site.say("/", UNDECIDED)
        async with window(site, **options) as shown:
            assert told((await shown.shown()).html) == {"page": "came"}
        asked = {*site.asked, *(one.target for one in public.asked)}
    return asked - {"/robots.txt", "/", "/page"}


async def test_sockets_and_pages_that_may_be_wanted_next_are_asked_of_nobody() -> None:
    assert await asked_undecided() == set()


async def test_the_policy_and_the_preferences_are_what_keeps_them_from_being_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "_POLICY", "worker-src 'none'")
    monkeypatch.setattr(homes, "_PREFERENCES", {})
    missing = {"/socket", "/framed", "/prefetch", "/prerender"}

    async def all_came() -> bool:
        missing.difference_update(await asked_undecided())
        return not missing

    await until(all_came, seconds=60)


async def test_the_policy_is_what_keeps_the_trap_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where the allow list has the trap, and frames may ask, the same page reaches more."""
    monkeypatch.setattr(Loading, "_judge", let_frames_pass)
    async with attacked([], allow_trap=True) as (shown, trap, public, _):

        async def its_frame_reaches_out() -> bool:
            """On a busy machine the page may be read before its frame has begun."""
            assert told((await shown.shown()).html)["at "] == "came"
            return any(one.target == "/framed" for one in public.asked)

        await until(its_frame_reaches_out, seconds=60)
        assert trap.connections > 0


async def test_a_script_may_ask_whether_it_may_ask_another_host() -> None:
    allowed = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Headers", "X-Own")]
    async with Site() as site, outside(StubResolver({"example.com": [PUBLIC_ADDRESS]}), []) as (public, options):
        public.otherwise = answer(b"a list", headers=allowed)
        site.say(
            "/",
            """<title>none</title><script>
            const tell = list => { document.title = JSON.stringify({list}) };
            const ask = headers => fetch('http://example.com/', {headers}).then(answer => answer.text());
            ask({}).then(() => ask({'X-Own': '1'})).then(tell, tell);
            </script>""",
        )
        async with window(site, **options) as shown:
            assert told((await shown.shown()).html) == {"list": "a list"}
        assert [one.method for one in public.asked if one.target == "/"] == ["GET", "OPTIONS", "GET"]


async def test_a_page_that_goes_inward_is_refused_and_nobody_asked() -> None:
    async with Site() as site, Stranger() as trap, window(site) as shown:
        site.say("/", f"<script>location = 'http://127.0.0.1:{trap.port}/'</script>")
        with pytest.raises(Refused, match=r"url_port_refused|address_refused"):
            await shown.images()
        assert trap.connections == 0
        assert shown.left_over() == []
