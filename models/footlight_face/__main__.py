"""One command for the whole model: `python3 -m footlight_face all`, in this folder's parent.

    speech      synthesise the training and held-out speech into .cache/
    train       train the shipped model and export it, with the fixtures of the Rust tests
    left-out    train one more model for each flite voice, without that voice: a common start that has heard none
                of the three, then a continuation on the other two
    measure     print the tables of README.md for what has been trained
    all         everything above, in that order
"""

import argparse
from pathlib import Path

import torch

from . import evaluate, export, fixtures, human, speech, train
from .net import FaceNet, parameters

SHIPPED_STEPS, START_STEPS, LEFT_OUT_STEPS = 4_200, 1_400, 800


def main():
    parser = argparse.ArgumentParser(prog="footlight_face", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speech", "train", "left-out", "measure", "all"])
    parser.add_argument("--threads", type=int, default=1, help="more than one helps little at this size")
    parser.add_argument("--steps", type=int, help="instead of the usual number")
    parser.add_argument("--voices", nargs="*", default=speech.FLITE_VOICES, help="for left-out: which flite voices")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    spoken, held_out = speech.build()
    minutes = sum(len(utterance.mel) for utterance in spoken) / 6000
    print(f"{len(spoken)} sentences, {minutes:.0f} minutes; {parameters(FaceNet())} parameters", flush=True)
    if options.what in ("train", "all"):
        net = train.train(spoken, options.steps or SHIPPED_STEPS)
        torch.save(net.state_dict(), _path("shipped"))
        export.write(net, fixtures.SHIPPED, "Footlight's own audio-to-face model, trained on synthetic speech")
        fixtures.write()
    if options.what in ("left-out", "all"):
        measured = [f"flite {voice}" for voice in speech.FLITE_VOICES]
        heard_by_all = [utterance for utterance in spoken if utterance.voice not in measured]
        start = train.train(heard_by_all, options.steps or START_STEPS).state_dict()
        for voice in options.voices:
            others = [utterance for utterance in spoken if utterance.voice != f"flite {voice}"]
            net = train.train(others, options.steps or LEFT_OUT_STEPS, start)
            torch.save(net.state_dict(), _path(f"without-{voice}"))
    if options.what in ("measure", "all"):
        measure(held_out)


def measure(held_out):
    """Prints one row of figures for each question that README.md answers."""
    shipped = export.Streaming(fixtures.SHIPPED)
    print(row("held out", evaluate.FIGURES))
    for group, utterances in held_out.items():
        name = "espeak-ng voices" if group == "espeak" else f"{group}, sentences only"
        print(row(name, _figures(utterances, shipped.predict)))
    for voice in speech.FLITE_VOICES:
        if _path(f"without-{voice}").exists():
            net = FaceNet()
            net.load_state_dict(torch.load(_path(f"without-{voice}")))
            net.eval()
            predict = lambda mel, net=net: train.predict(net, mel)
            print(row(f"{voice}, voice and sentences", _figures(held_out[voice], predict)))
    if human.RECORDINGS.exists():
        for name, figure in human.figures(shipped.predict).items():
            print(f"| {name} | {figure:.3f} |" if isinstance(figure, float) else f"| {name} | {figure} |")
    else:
        print("no recordings of people: install klettres-data")


def _figures(utterances, predict):
    figures = evaluate.figures(utterances, [predict(utterance.mel.astype("float32")) for utterance in utterances])
    return [f"{figures[name]:.1f}" if name == "lag ms" else f"{figures[name]:.3f}" for name in evaluate.FIGURES]


def row(name, cells):
    return f"| {name} | " + " | ".join(cells) + " |"


def _path(name):
    path = Path(speech.CACHE) / f"{name}.pt"
    path.parent.mkdir(exist_ok=True)
    return path


if __name__ == "__main__":
    main()
