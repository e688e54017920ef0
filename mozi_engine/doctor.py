"""Is everything here that chatting needs? One finding after the other, each with what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from mozi_engine import files
from mozi_engine import settings as settings_file
from mozi_engine.errors import MoziError
from mozi_engine.models import catalog
from mozi_engine.models.catalog import ModelSpec
from mozi_engine.settings import Settings

State = Literal["ok", "note", "problem"]
Fit = Literal["fits", "fits alone", "too large"]

LOADED = ("pymupdf", "onnxruntime", "tokenizers", "xllamacpp")  # libraries with machine code that chat loads
OVERHEAD = 1_300_000_000  # bytes that chat takes beside the model's file, at the default context
EXTRAS = ("ocr", "train", "serve", "eval")


@dataclass(frozen=True, slots=True)
class Check:
    """A finding. A problem keeps `mozi chat` from working; a note does not. `remedy` is what to do."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine(network: bool = False, verify: bool = False) -> Iterator[Check]:
    """Look at everything, in the order in which chatting needs it.

    Models are hashed again with `verify` only, and the network is touched with `network` only.
    """
    yield Check("mozi", "ok", f"{importlib.metadata.version('mozi')}, Python {platform.python_version()}")
    yield from _packages()
    yield _libraries()
    yield from _folders()
    try:
        settings = settings_file.load()
        models = catalog.load()
    except MoziError as error:
        yield Check("settings", "problem", error.message, error.hint)
        return
    yield _settings()
    yield _engine(settings)
    if settings.engine == "llamacpp":
        yield _chosen_model(settings.model)
    yield from (_model(spec, verify) for spec in models if catalog.ready(spec) or _begun(spec))
    yield _caches(settings)
    yield _disk(settings.model)
    yield _memory(settings)
    yield _processor()
    if network:
        yield from _network()


def _packages() -> Iterator[Check]:
    """What mozi's own metadata asks for, and which of it is installed."""
    asked: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("mozi") or []:
        found = re.search(r"extra\s*==\s*['\"](\w+)['\"]", line)
        asked.setdefault(found[1] if found else "", []).append(re.split(r"[^\w.-]", line)[0])
    versions = {name: _version(name) for name in asked.get("", [])}
    missing = [name for name, version in versions.items() if not version]
    if missing:
        yield Check(
            "packages", "problem", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    else:
        yield Check("packages", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))
    for extra in EXTRAS:
        lacking = [name for name in asked.get(extra, []) if not _version(name)]
        if lacking:
            yield Check(
                f"extra {extra}",
                "note",
                f"not installed: {', '.join(lacking)}",
                f"pip install {' '.join(lacking)}",
            )
        else:
            yield Check(f"extra {extra}", "ok", "installed")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _libraries() -> Check:
    """Load each in a child process: a build for another processor kills the process that loads it."""
    broken = []
    for name in LOADED:
        child = subprocess.run([sys.executable, "-P", "-c", f"import {name}"], capture_output=True, text=True)
        if child.returncode:
            broken.append(f"{name} ({_why(child)})")
    if broken:
        names = " ".join(name.partition(" ")[0] for name in broken)
        return Check(
            "libraries",
            "problem",
            f"do not load: {', '.join(broken)}",
            f"pip install --force-reinstall {names}",
        )
    return Check("libraries", "ok", f"{', '.join(LOADED)} load")


def _why(child: subprocess.CompletedProcess[str]) -> str:
    if child.returncode < 0:
        return f"killed by {signal.Signals(-child.returncode).name}"
    return (child.stderr.strip().splitlines() or ["unknown"])[-1]


def _folders() -> Iterator[Check]:
    for name, folder in (
        ("settings", files.config_dir()),
        ("caches", files.cache_dir()),
        ("data", files.data_dir()),
    ):
        there = _existing(folder)
        if not os.access(there, os.W_OK):
            remedy = "correct its permissions, or set MOZI_HOME to a folder of yours"
            yield Check(f"{name} folder", "problem", f"{there} cannot be written to", remedy)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _settings() -> Check:
    file = files.config_dir() / "settings.toml"
    return Check("settings", "ok", str(file) if file.exists() else f"the defaults ({file} is not there)")


def _engine(settings: Settings) -> Check:
    if settings.engine == "llamacpp":
        why = "the settings name no remote server"
        return Check("engine", "ok", f"llamacpp: the model runs in this process, because {why}")
    if settings.engine == "torch":
        what = settings.adapter or settings.model
        return Check("engine", "ok", f"torch: {what} runs in this process, because the settings say so")
    if not settings.base_url:
        return Check(
            "engine",
            "problem",
            "remote, but no base_url is set",
            "set MOZI_BASE_URL, or base_url in the settings",
        )
    return Check("engine", "ok", f"remote: {settings.base_url}, because the settings say so")


def _chosen_model(name: str) -> Check:
    try:
        spec = catalog.find(name)
    except MoziError as error:
        return Check("model", "problem", error.message, error.hint)
    if spec.engine != "llamacpp":
        return Check("model", "problem", f"{name} does not run in llama.cpp", "mozi models list")
    if catalog.ready(spec):
        return Check("model", "ok", f"{name}: {catalog.path(spec)}")
    return Check("model", "note", f"{name} is not on this disk yet", f"mozi models pull {name}")


def _begun(spec: ModelSpec) -> bool:
    return any(catalog.folder(spec).glob("*"))


def _model(spec: ModelSpec, verify: bool) -> Check:
    name, remedy = f"model {spec.name}", f"mozi models pull {spec.name}"
    if not catalog.ready(spec):
        return Check(name, "note", "not finished, or changed since its sha256 was checked", remedy)
    if not verify:
        return Check(name, "ok", f"{files.size(spec.bytes)}, sha256 {spec.sha256[:12]}… as it was checked")
    try:
        for _ in catalog.verify(spec):
            pass
    except MoziError as error:
        return Check(name, "problem", error.message, error.hint)
    return Check(name, "ok", f"{files.size(spec.bytes)}, sha256 {spec.sha256[:12]}… checked just now")


def _caches(settings: Settings) -> Check:
    sizes = [
        f"{name} {files.size(files.weight(files.cache_dir() / name))}"
        for name in ("papers", "embeddings", "downloads", "states")
    ]
    told = f"{', '.join(sizes)} of {settings.states_gigabytes:g} GB"
    return Check("caches", "ok", f"{told} in {files.cache_dir()} (may be deleted at any time)")


def _disk(model: str) -> Check:
    free = shutil.disk_usage(_existing(files.data_dir())).free
    try:
        spec = catalog.find(model)
        needed = 0 if catalog.ready(spec) else spec.bytes
    except MoziError:
        needed = 0
    if free < needed:
        detail = f"{files.size(free)} free, and the model {model} takes {files.size(needed)}"
        return Check("disk", "problem", detail, "free some space, or set MOZI_HOME to another disk")
    low = free < 1_000_000_000
    remedy = "free some space" if low else ""
    return Check("disk", "note" if low else "ok", f"{files.size(free)} free where models lie", remedy)


def _memory(settings: Settings) -> Check:
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    detail = f"{files.size(free)} of {files.size(total)} available"
    try:
        needed = catalog.find(settings.model).bytes + OVERHEAD if settings.engine == "llamacpp" else OVERHEAD
    except MoziError:
        needed = OVERHEAD
    if free >= needed:
        return Check("memory", "ok", detail)
    return Check(
        "memory",
        "note",
        f"{detail}; chat takes {files.size(needed)}",
        "close other programs, or choose a smaller model",
    )


def fit(spec: ModelSpec) -> Fit:
    """Whether chat with this model fits into the memory that is free, or that there is in all."""
    memory = psutil.virtual_memory()
    needed = spec.bytes + OVERHEAD
    if needed <= memory.available:
        return "fits"
    return "fits alone" if needed <= memory.total else "too large"


def _processor() -> Check:
    cores, threads = psutil.cpu_count(logical=False) or 0, psutil.cpu_count() or 0
    fast = [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in _flags()]
    detail = f"{platform.machine()}, {cores} cores, {threads} threads" + (
        f", {', '.join(fast)}" if fast else ""
    )
    if _flags() and not fast and platform.machine() in ("x86_64", "AMD64"):
        return Check(
            "processor",
            "note",
            f"{detail}; no AVX2",
            "answers will be slow: use --engine remote where you can",
        )
    return Check("processor", "ok", detail)


def _flags() -> set[str]:
    """What the processor can do, as Linux tells it; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def _network() -> Iterator[Check]:
    # Here, so that a look at the disk does not load an HTTP client.
    from mozi_engine import download
    from mozi_engine.models import hub, package_index

    for name, url in (("hub", hub.endpoint()), ("package index", package_index.index_url())):
        try:
            download.reach(url)
            yield Check(name, "ok", f"{download.host(url)} answers")
        except MoziError as error:
            yield Check(
                name,
                "note",
                error.message,
                "models come from what does answer, or from mozi models add --file",
            )
