#!/bin/sh
# Makes the speech that tests and the demo use. Needs espeak-ng, flite and sox; run it in this folder.
set -eu

espeak() { # file, voice, words a minute, text
    espeak-ng -v "$2" -s "$3" -w "$1.22k.wav" "$4"
    sox --no-dither "$1.22k.wav" -r 16000 -b 16 "$1" && rm "$1.22k.wav"
}

flite_voice() { # file, voice, text
    flite -voice "$2" -t "$3" -o "$1"
}

flite_voice greeting.wav slt "Hello, and welcome. My name is Ada, and I am happy to meet you. Ask me about anything, \
from simple maps to the moon above the harbour."
flite_voice weather.wav rms "Good morning. By midday most of the bay will be warm and bright, but a big patch of rain \
moves up the valley before supper. Please pack an umbrella."
espeak story.wav en-us+f2 160 "Once upon a time, a small brown bear moved into an empty lighthouse. Every evening he \
polished the lamp, put on his best blue jumper, and waved to the boats."
espeak hello.wav en+m3 165 "Hello! Maybe we can begin."
flite_voice penny.wav awb "Both people put a penny in the pump."
