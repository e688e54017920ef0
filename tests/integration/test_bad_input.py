"""What bad input gets: one clear line and a next step, exit code 1, no traceback, no half-written file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pymupdf
import pytest

from tests.command import mozi, refusal
from tests.openai_server import OpenAIServer

FACT = "The sample of soil weighs twelve grams."
QUESTION = "How much does the sample of soil weigh?"


def pdf(path: Path, *pages: str, **save: object) -> Path:
    document = pymupdf.open()
    for text in pages:
        document.new_page().insert_text((72, 100), text)
    document.save(path, **save)
    return path


def kept(home: Path) -> list[Path]:
    """Every file that mozi has left under its home."""
    return sorted(path for path in home.rglob("*") if path.is_file())


def refused(home: Path, *arguments: object) -> tuple[str, str]:
    """The message and the hint of a refusal that leaves nothing behind."""
    said = refusal(mozi("evidence", *arguments))
    assert kept(home) == []
    return said


def found(*arguments: object) -> str:
    """The evidence that mozi shows; what it says on the way is not of interest."""
    ran = mozi("evidence", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file: "),
        ("a directory", "is a directory"),
        (b"", "is empty"),
        (b"<html>Not found</html>", "is not a PDF"),
        (b"%PDF-1.7\nnothing that could be mended", "is damaged"),
    ],
)
def test_what_is_no_paper_is_named_and_refused(
    tmp_path: Path, home: Path, content: bytes | str | None, says: str
) -> None:
    path = tmp_path / "paper.pdf"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    message, _ = refused(home, path, QUESTION)
    assert says in message
    assert "paper.pdf" in message


def test_a_truncated_pdf(tmp_path: Path, home: Path, example: Path) -> None:
    path = tmp_path / "cut.pdf"
    path.write_bytes(example.read_bytes()[: example.stat().st_size // 2])
    message, hint = refused(home, path, QUESTION)
    assert "cut.pdf" in message
    assert "fetch it again" in hint


def test_a_paper_is_refused_before_a_model_is_fetched_for_it(tmp_path: Path, home: Path) -> None:
    assert "no such file" in refusal(mozi("chat", "-p", tmp_path / "none.pdf", "-a", QUESTION))[0]
    assert kept(home) == []


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    encryption = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": "sesame", "owner_pw": "owner"}
    return pdf(tmp_path / "locked.pdf", FACT, **encryption)


def test_a_password_is_asked_for_and_a_wrong_one_said_to_be_wrong(locked: Path, home: Path) -> None:
    message, hint = refused(home, locked, QUESTION)
    assert message == "locked.pdf needs a password"
    assert "--password" in hint
    assert "MOZI_PDF_PASSWORD" in hint
    message, _ = refused(home, locked, QUESTION, "--password", "guess")
    assert message == "the password does not open locked.pdf"


def test_the_password_opens_the_paper_and_its_text_is_not_kept(
    locked: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FACT in found(locked, QUESTION, "--password", "sesame")
    monkeypatch.setenv("MOZI_PDF_PASSWORD", "sesame")
    assert FACT in found(locked, QUESTION)
    assert all(FACT.encode() not in path.read_bytes() for path in kept(home))
    assert not list(home.rglob("papers/*"))


def scan(document: pymupdf.Document) -> None:
    """Add a page that is a picture and nothing else."""
    page = document.new_page()
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 60, 80))
    picture.clear_with(200)
    page.insert_image(page.rect, pixmap=picture)


def ocr_is_installed() -> bool:
    from mozi_engine.paper.opening import ocr_installed

    return ocr_installed()


@pytest.mark.skipif(ocr_is_installed(), reason="OCR is installed, and reads them")
def test_scans_are_named_by_page_and_so_is_what_reads_them(tmp_path: Path, home: Path) -> None:
    document = pymupdf.open()
    scan(document)
    scan(document)
    document.save(tmp_path / "scans.pdf")
    message, hint = refused(home, tmp_path / "scans.pdf", QUESTION)
    assert "pages 1-2 are scans" in message
    assert "rapidocr" in hint
    document.new_page().insert_text((72, 100), FACT)
    document.save(tmp_path / "mixed.pdf")
    ran = mozi("evidence", tmp_path / "mixed.pdf", QUESTION)
    assert FACT in ran.stdout
    assert "not read: pages 1-2 (scans without text)" in ran.stderr


def test_a_thousand_pages_are_a_paper(tmp_path: Path) -> None:
    long = pdf(tmp_path / "long.pdf", *[f"Page {n}." for n in range(1, 900)], FACT, *["More."] * 100)
    shown = found(long, QUESTION, "-k", 1)
    assert FACT in shown


def forms_within_forms(depth: int) -> bytes:
    """A PDF of one page that draws a form ten times, which draws another ten times, and so on."""

    def stream(keys: str, content: str) -> str:
        return f"<<{keys} /Length {len(content)}>> stream\n{content}\nendstream"

    def form(resources: str, content: str) -> str:
        box = "/BBox [0 0 600 800]"
        return stream(f"/Type /XObject /Subtype /Form {box} /Resources <<{resources}>>", content)

    objects = [
        "<</Type /Catalog /Pages 2 0 R>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        " /Resources <</XObject <</X 6 0 R>>>>>>",
        stream("", "/X Do"),
        "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    ]
    objects += [form(f"/XObject <</X {7 + n} 0 R>>", "/X Do " * 10) for n in range(depth)]
    objects.append(form("/Font <</F 5 0 R>>", f"BT /F 10 Tf 50 700 Td ({FACT}) Tj ET"))
    body = "".join(f"{number} 0 obj {content} endobj\n" for number, content in enumerate(objects, 1))
    return f"%PDF-1.7\n{body}trailer <</Root 1 0 R /Size {len(objects) + 1}>>\n".encode()


@pytest.mark.parametrize(
    ("variable", "limit", "says"),
    [
        ("MOZI_PDF_SECONDS", "1", "it took more than 1 s (pdf_seconds in settings.toml)"),
        ("MOZI_PDF_GIGABYTES", "0.4", "needs more than 0.4 GB of memory (pdf_gigabytes in settings.toml)"),
    ],
)
def test_a_pdf_that_never_ends_meets_a_limit_that_is_named(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, limit: str, says: str
) -> None:
    path = tmp_path / "endless.pdf"
    path.write_bytes(forms_within_forms(depth=9))
    monkeypatch.setenv(variable, limit)
    message, hint = refused(home, path, QUESTION)
    assert says in message
    assert "raise that limit" in hint


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web site with a paper and a page about it. Of `/slow.pdf` half comes at once, half a second later."""
    paper = pdf(tmp_path / "served.pdf", FACT).read_bytes()
    files = {"/paper.pdf": paper, "/slow.pdf": paper, "/large.pdf": paper + b"\n" * 2_000_000}

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not (body := files.get(self.path, b"<html>" if self.path == "/page" else b"")):
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[:half])
            time.sleep(1 if self.path == "/slow.pdf" else 0)
            self.wfile.write(body[half:])

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "says"),
    [("/gone.pdf", "(404)"), ("/page", "is not a PDF"), ("/large.pdf", "is larger than 1 MB")],
)
def test_an_address_without_a_paper_is_named_with_the_reason(
    site: str, home: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    monkeypatch.setenv("MOZI_DOWNLOAD_MEGABYTES", "1")
    message, hint = refused(home, site + path, QUESTION)
    assert site + path in message
    assert says in message
    assert "download_megabytes" in hint or "large" not in path


def test_an_address_where_nobody_answers(home: Path) -> None:
    assert "cannot fetch http://127.0.0.1:1/a.pdf" in refused(home, "http://127.0.0.1:1/a.pdf", QUESTION)[0]


def test_a_slow_server_is_waited_for_and_its_paper_kept_whole(site: str, home: Path) -> None:
    assert FACT in found(f"{site}/slow.pdf", QUESTION)
    (downloaded,) = home.rglob("downloads/*")
    assert downloaded.read_bytes().startswith(b"%PDF")
    assert downloaded.suffix == ".pdf"


def test_one_page_is_a_paper_and_damaged_cache_entries_are_made_again(tmp_path: Path, home: Path) -> None:
    paper = pdf(tmp_path / "one.pdf", FACT)
    first, whole = found(paper, QUESTION), {path: path.read_bytes() for path in kept(home)}
    assert FACT in first
    assert {path.parent.name for path in whole} == {"papers", "embeddings"}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    assert found(paper, QUESTION) == first
    assert {path: path.read_bytes() for path in kept(home)} == whole


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "the question is empty"),
        (" \n ", "the question is empty"),
        ("why " * 2500, "the question has 9,999 characters; the limit is 2,000"),
        (b"caf\xe9?", "the question is not UTF-8 text"),
    ],
)
def test_a_question_that_is_none_is_refused_before_anything_is_read(
    example: Path, home: Path, question: str | bytes, says: str
) -> None:
    given = question if isinstance(question, str) else question.decode("utf-8", "surrogateescape")
    assert refusal(mozi("chat", "-p", example, "-a", given))[0] == says
    assert kept(home) == []


def test_evidence_is_for_questions_too(example: Path, home: Path) -> None:
    assert refused(home, example, "")[0] == "the question is empty"


def test_a_bad_question_in_a_pipe_leaves_the_answers_before_it(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says("12M nodes.")
    questions = b"How many author nodes are there?\ncaf\xe9?\n"
    remote = ("--engine", "remote", "--base-url", openai.url)
    ran = mozi("chat", *remote, "-p", example_read, "--json", stdin=questions)
    assert refusal(ran)[0] == "the question is not UTF-8 text"
    assert len(ran.stdout.splitlines()) == 1


def test_a_question_in_another_script_is_a_question(example_read: Path) -> None:
    assert "[1] page " in found(example_read, "文献图有多少个节点？")


@pytest.mark.parametrize(
    ("toml", "says", "then"),
    [
        ("pasages = 3", "unknown key 'pasages'", "did you mean 'passages'?"),
        ("passages = 'many'", "passages = 'many' is not a whole number", "give a whole number"),
        ("passages = ", "settings.toml: ", "correct the file"),
    ],
)
def test_a_mistake_in_the_settings_is_named(
    example_read: Path, home: Path, toml: str, says: str, then: str
) -> None:
    settings = home / "config" / "settings.toml"
    settings.parent.mkdir()
    settings.write_text(toml)
    message, hint = refusal(mozi("evidence", example_read, QUESTION))
    assert says in message
    assert str(settings) in message
    assert then in hint


def test_a_model_that_nobody_knows_is_guessed_at(example_read: Path) -> None:
    message, hint = refusal(mozi("chat", "-p", example_read, "--model", "qwen3-4", "-a", QUESTION))
    assert message == "no model named 'qwen3-4' (did you mean 'qwen3-4b'?)"
    assert hint == "mozi models list"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file: "),
        (b"{}", "is not a GGUF model"),
        (b"GGUF" + bytes(range(256)) * 8, "llama.cpp cannot load a.gguf"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, home: Path, example_read: Path, content: bytes | None, says: str
) -> None:
    before, file = kept(home), tmp_path / "a.gguf"
    if content:
        file.write_bytes(content)
    assert says in refusal(mozi("chat", "-p", example_read, "--model", file, "-a", QUESTION))[0]
    assert kept(home) == before
