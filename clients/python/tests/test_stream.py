"""A session's WebSocket against a real node."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import SPEECH, Account, Node

from footlight import Answer, AsyncClient, Client, ConnectionFailed, Event, MediaKind, MediaUnit, NotFound, Problem


def test_speech_comes_back_as_video_and_sound_and_is_charged_to_the_frame(
    node: Node, account: Account, tmp_path: Path
) -> None:
    units: list[MediaUnit] = []
    events: list[Event] = []
    with Client(node.url, account.api_secret) as client:
        session = client.create_session(avatar="ada")
        with client.stream(session.id, recording=True) as stream:
            speech = client.speak(session.id, SPEECH / "hello.wav")
            for message in stream:
                if isinstance(message, MediaUnit):
                    units.append(message)
                elif isinstance(message, Event):
                    events.append(message)
                    if message.type == "utterance_ended":
                        break
        bill = client.stop_session(session.id)

    pictures = [unit for unit in units if unit.kind is MediaKind.VIDEO]
    assert events[-1].utterance_id == speech.utterance_id
    assert events[-1].failed is None
    assert pictures[0].is_key_frame
    assert [unit.sequence for unit in pictures] == list(range(len(pictures)))
    assert not any(unit.is_idle for unit in units), "a recording has active frames only"
    assert len(pictures) == bill.frames
    assert bill.frames == pytest.approx(speech.duration_ms * 25 / 1000, abs=2)
    assert bill.credits_used * 60 * 25 == pytest.approx(bill.frames * 2, abs=1500 / 10**6)
    assert {unit.kind for unit in units} == {MediaKind.VIDEO, MediaKind.AUDIO}

    if shutil.which("ffprobe"):
        video = tmp_path / "hello.h264"
        video.write_bytes(b"".join(unit.data for unit in pictures))
        command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(video)]
        seen = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
        assert (seen["codec_name"], int(seen["nb_read_frames"])) == ("h264", len(pictures))


def test_samples_and_commands_are_sent_and_answered(node: Node, account: Account) -> None:
    async def use() -> None:
        async with AsyncClient(node.url, account.api_secret) as client:
            session = await client.create_session()
            async with client.stream(session.id, media="video") as stream:
                samples = _samples(SPEECH / "greeting.wav")
                rate = _rate(SPEECH / "greeting.wav")
                await stream.begin_audio(rate=rate, channels=1)
                for start in range(0, len(samples), 32_000):
                    await stream.send_audio(samples[start : start + 32_000])
                await stream.end_audio(id="said")
                told: list[str] = []
                async for message in stream:
                    if isinstance(message, Answer):
                        told.append(f"{message.type} {message.command or ''} {message.id or ''}".strip())
                        if message.command == "interrupt":
                            assert message.generation is not None
                            assert message.generation >= 1
                            await stream.pause(id="p")
                        elif message.command == "pause":
                            await stream.resume(id="r")
                        elif message.command == "resume":
                            await stream.begin_audio(rate=1)
                        elif message.problem:
                            assert message.problem.code == "audio_unsupported"
                            await stream.stop()
                    elif isinstance(message, Event):
                        told.append(message.type)
                        if message.type == "utterance_started":
                            await stream.interrupt(id="i")
            assert told.index("utterance_queued") < told.index("done audio_end said")
            assert told.index("utterance_started") < told.index("done interrupt i") < told.index("done pause p")
            assert "done resume r" in told
            assert told[-1] == "ended", "the stream ends with the session"
            ended = await client.get_session(session.id)
            assert ended.state == "ended"
            assert 0 < ended.frames < 8 * 25, "an interrupt cuts off"
            with pytest.raises(ConnectionFailed):
                await stream.send_audio(b"\0\0")

    asyncio.run(use())


def test_the_ordinary_stream_sends_too(node: Node, account: Account) -> None:
    with Client(node.url, account.api_secret) as client:
        session = client.create_session()
        told = []
        with client.stream(session.id, media="none", rate=16_000) as stream:
            stream.begin_audio(rate=16_000)
            stream.send_audio(bytes(16_000))
            stream.end_audio()
            stream.pause()
            stream.resume()
            stream.interrupt()
            stream.stop()
            for message in stream:
                assert not isinstance(message, MediaUnit)
                told.append(message.command if isinstance(message, Answer) else message.type)
        assert {"audio_end", "pause", "resume", "interrupt"} <= set(told)
        assert told[-1] == "ended"


def test_a_gesture_is_answered_and_told_and_costs_nothing(node: Node, account: Account) -> None:
    async def use() -> None:
        async with AsyncClient(node.url, account.api_secret) as client:
            session = await client.create_session(avatar="gestura")
            async with client.stream(session.id, media="video") as stream:
                told: list[str | None] = []
                await stream.gesture("bow", id="b")
                async for message in stream:
                    if isinstance(message, Answer) and message.command == "gesture":
                        assert (message.id, message.duration_ms, message.holds) == ("b", 900, False)
                        assert message.type == "done"
                    elif isinstance(message, Event) and message.type == "gesture_started":
                        told.append(message.gesture)
                        # Once over the socket, and once more by a call.
                        if len(told) == 2:
                            break
                        await client.gesture(session.id, "bow")
            assert told == ["bow", "bow"]
            assert (await client.stop_session(session.id)).frames == 0

    asyncio.run(use())


def test_refusals_come_before_the_stream_opens(node: Node, account: Account) -> None:
    async def use() -> None:
        async with AsyncClient(node.url, account.api_secret) as client:
            with pytest.raises(NotFound):
                async with client.stream("ses_00000000000000000000000000000000"):
                    pass

    asyncio.run(use())


def test_secrets_follow_no_redirects() -> None:
    asked: list[str | None] = []

    class Elsewhere(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.headers["api-secret"])
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    class Here(Elsewhere):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", f"http://127.0.0.1:{elsewhere.server_address[1]}/")
            self.send_header("content-length", "0")
            self.end_headers()

    async def use(url: str) -> None:
        async with AsyncClient(url, "fl_live_secret") as client:
            with pytest.raises(Problem) as refused:
                async with client.stream("ses_1"):
                    pass
            assert refused.value.status == 302

    with _served(Elsewhere) as elsewhere, _served(Here) as here:
        url = f"http://127.0.0.1:{here.server_address[1]}"
        asyncio.run(use(url))
        with Client(url, "fl_live_secret") as client, pytest.raises(Problem) as refused, client.stream("ses_1"):
            pass
        assert refused.value.status == 302
    assert asked == []


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        samples: bytes = file.readframes(file.getnframes())
        return samples


def _rate(path: Path) -> int:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        rate: int = file.getframerate()
        return rate
