#!/usr/bin/env bash
# torchrun reads options that stand after the script's name, too, if they look like the beginning of one of its own:
# `torchrun --nproc_per_node 1 train.py --nproc 2` ends in "ambiguous option", and so does a training script's own
# `--log FILE`, although the help says that all after the script's name goes to the script. It bites where a script that
# ran with `python` is started on several GPUs. Put `--` before the script's name: then they arrive.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 torch==2.13.0
cat > "$folder/train.py" <<'PYTHON'
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--nproc", type=int)
parser.add_argument("--log")
print("the script has", parser.parse_args())
PYTHON
"$folder/venv/bin/python" -c 'import sys, torch; print("torch", torch.__version__, "Python", sys.version.split()[0])'
export OMP_NUM_THREADS=1
run() { "$folder/venv/bin/torchrun" --nproc_per_node 1 "$@" > "$folder/out" 2>&1; }
for option in "--nproc 2" "--log run.txt"; do
  read -ra words <<< "$option"
  if run "$folder/train.py" "${words[@]}"; then
    echo "train.py $option arrives now"
    exit 1
  fi
  echo "torchrun train.py $option: $(grep error: "$folder/out")"
  grep -q "ambiguous option: ${words[0]} could match" "$folder/out"
  run -- "$folder/train.py" "${words[@]}"
  echo "torchrun -- train.py $option: $(grep 'the script has' "$folder/out")"
done
