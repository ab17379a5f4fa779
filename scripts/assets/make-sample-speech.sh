#!/bin/sh
# Makes assets/speech: two sentences by flite's voice slt and a public-domain recording of Debian's pocketsphinx-testdata.
# Needs flite and ffmpeg.
#
#   apt-get download pocketsphinx-testdata && dpkg -x pocketsphinx-testdata_*.deb unpacked
#   scripts/assets/make-sample-speech.sh unpacked
set -eu

unpacked=${1:?"usage: make-sample-speech.sh FOLDER OF THE UNPACKED pocketsphinx-testdata"}
out=$(dirname "$0")/../assets/speech
recording=$unpacked/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0890.wav
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# Cuts the silence at both ends down to 0.15 s, then sets the loudness; measured first, as one pass only approximates it.
trim='silenceremove=start_periods=1:start_threshold=-45dB:start_silence=0.15'
finish() { # input, output
  ffmpeg -v error -y -i "$1" -af "$trim,areverse,$trim,areverse" -ac 1 "$work/trimmed.wav"
  # Loudness is gated over 0.4 s blocks, so a short clip is measured in a loop.
  measured=$(ffmpeg -nostats -stream_loop 3 -i "$work/trimmed.wav" -af ebur128=framelog=verbose -f null - 2>&1 |
    sed -n 's/^ *I: *\(-[0-9.]*\) LUFS$/\1/p' | tail -n 1)
  gain=$(awk "BEGIN { print -18 - ($measured) }")
  # A fade of a few samples keeps the cut from clicking; the limiter only catches what the gain would clip.
  ffmpeg -v error -y -i "$work/trimmed.wav" -fflags +bitexact -flags:a +bitexact -map_metadata -1 -ar 16000 -sample_fmt s16 \
    -af "volume=${gain}dB,alimiter=limit=0.89:level=disabled,afade=d=0.01,areverse,afade=d=0.01,areverse" "$2"
}

flite -voice slt -t 'Hello! My name is Ada. I am made of numbers, but I am happy to speak to you.' -o "$work/welcome.wav"
finish "$work/welcome.wav" "$out/welcome.wav"
flite -voice slt -t 'Maybe tomorrow.' -o "$work/short.wav"
finish "$work/short.wav" "$out/short.wav"
finish "$recording" "$out/librivox.flac"
