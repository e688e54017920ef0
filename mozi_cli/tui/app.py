"""The full screen: read a paper, ask it, and see the evidence on its page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from mozi_cli.tui import keys, messages
from mozi_cli.tui.actions import Actions
from mozi_cli.tui.chat_screen import ChatScreen
from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.theme import THEMES
from mozi_engine.errors import MoziError
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings

if TYPE_CHECKING:
    from mozi_cli.tui.desk import Desk
    from mozi_engine.sessions import Conversation, Mode, Session, Store
