"""levin and llama.cpp on the same GGUF file, alternately: prefill and decode, best and median.

usage: beside_llama.py --levin PROGRAM --llama FOLDER [--model FILE.gguf] [--shape m1-5b]
                       [--type Q4_0] [--threads 1,2] [--rounds 3] [--prefill 512] [--decode 64]
                       [--folder DIR] [--before "chrt -f 10"]

FOLDER is bins/linux-x64 of the npm package @node-llama-cpp/linux-x64 (3.22.1 has llama.cpp v0.5.0):

    npm install --ignore-scripts @node-llama-cpp/linux-x64@3.22.1

Without --model a file of the shape is written to --folder (a temporary one, removed afterwards). One
model is in memory at a time: each figure is a process of its own. Both sides read --prefill tokens
three times, each followed by --decode single tokens; decode is the best mean over a quarter of the
tokens, as `levin bench` has it. --before goes before both programs. Standard library only.
"""
import argparse
import ctypes
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden", "gguf"))
REPEATS = 3


def best_mean(seconds):
    window = max(1, len(seconds) // 4)
    groups = [seconds[at:at + window] for at in range(0, len(seconds) - window + 1, window)]
    return min(sum(group) / window for group in groups)


def measure_llama(folder, path, threads, prefill, decode):
    """Runs in a process of its own, with llama.cpp's library in it. Figures as `levin bench --json`."""
    import llama_logits
    library = llama_logits.open_library(folder)
    library.llama_get_memory.argtypes = [ctypes.c_void_p]
    library.llama_get_memory.restype = ctypes.c_void_p
    library.llama_memory_clear.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    library.llama_synchronize.argtypes = [ctypes.c_void_p]
    model = library.llama_model_load_from_file(path.encode(),
                                               library.llama_model_default_params())
    if not model:
        sys.exit("llama.cpp refuses " + path)
    params = library.llama_context_default_params()
    params.words[0] = (prefill + decode + 255) // 256 * 256  # n_ctx
    params.words[1] = prefill  # n_batch
    context = library.llama_init_from_model(model, params)
    library.llama_set_n_threads(context, threads, threads)
    vocab = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))

    def read(first, count):
        ids = (ctypes.c_int32 * count)(*[(first + i) * 7919 % vocab for i in range(count)])
        start = time.perf_counter()
        if library.llama_decode(context, library.llama_batch_get_one(ids, count)) != 0:
            sys.exit("llama_decode failed on " + path)
        library.llama_synchronize(context)
        return time.perf_counter() - start

    read(0, 16)  # Weights are mapped: the first pass would read the file.
    prefills, tokens = [], []
    for _ in range(REPEATS):
        library.llama_memory_clear(library.llama_get_memory(context), True)
        prefills.append(read(0, prefill))
        tokens += [read(prefill + i, 1) for i in range(decode)]
    return {"prefill_tps": prefill / min(prefills),
            "prefill_median_tps": prefill / statistics.median(prefills),
            "decode_tps": 1 / best_mean(tokens),
            "decode_median_tps": 1 / statistics.median(tokens)}


def output_of(options, command):
    command = shlex.split(options.before) + command
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stderr[-2000:]))
    return done.stdout


def run_levin(options, path, threads):
    return json.loads(output_of(options, [
        options.levin, "bench", "--model", path, "--threads", str(threads), "--depth", "0",
        "--prefill", str(options.prefill), "--decode", str(options.decode), "--json"]))[0]


def run_llama(options, path, threads):
    return json.loads(output_of(options, [
        sys.executable, os.path.abspath(__file__), "--child", path, "--llama", options.llama,
        "--threads", str(threads), "--prefill", str(options.prefill), "--decode",
        str(options.decode)]).splitlines()[-1])


def read_speed(options, threads):
    """GB/s of memory, as `levin bench` measures it; on the embedded model, which is small."""
    out = output_of(options, [options.levin, "bench", "--threads", str(threads), "--depth", "0",
                              "--prefill", "1", "--decode", "1"])
    return float(re.search(r"memory read ([0-9.]+) GB/s", out).group(1))


def check_memory(path):
    with open("/proc/meminfo", encoding="ascii") as file:
        available = int(re.search(r"MemAvailable: +(\d+)", file.read()).group(1)) * 1024
    # llama.cpp maps the file and repacks it into as much memory again.
    needed = 2 * os.path.getsize(path) + (1 << 30)
    if available < needed:
        sys.exit("%.1f GB of memory are available, this needs %.1f" % (available / 1e9, needed / 1e9))


def compare(options, path):
    check_memory(path)
    keys = [("prefill", "prefill_tps", "prefill_median_tps"),
            ("decode", "decode_tps", "decode_median_tps")]
    threads = [int(count) for count in options.threads.split(",")]
    runs = {}
    for round_number in range(options.rounds):
        for count in threads:
            # The first goes second the next time.
            sides = [("levin", run_levin), ("llama.cpp", run_llama)]
            for side, measure in sides[::1 if round_number % 2 == 0 else -1]:
                runs.setdefault((side, count), []).append(measure(options, path, count))
            runs.setdefault(("limit", count), []).append(read_speed(options, count))
            print("round %d of %d, %d threads: %s, load %.1f" % (
                round_number + 1, options.rounds, count,
                ", ".join("%s prefill %.1f decode %.1f" % (
                    side, runs[side, count][-1]["prefill_tps"], runs[side, count][-1]["decode_tps"])
                    for side, _ in sides), os.getloadavg()[0]), file=sys.stderr)
    print("%-8s %7s | %9s %9s | %9s %9s | %6s %6s | %11s" % (
        "tokens/s", "threads", "levin", "median", "llama.cpp", "median", "ratio", "median",
        "read GB/s"))
    for count in threads:
        for name, best_key, median_key in keys:
            best = {side: max(run[best_key] for run in runs[side, count])
                    for side in ("levin", "llama.cpp")}
            middle = {side: statistics.median(run[median_key] for run in runs[side, count])
                      for side in ("levin", "llama.cpp")}
            print("%-8s %7d | %9.1f %9.1f | %9.1f %9.1f | %5.2fx %5.2fx | %11.1f" % (
                name, count, best["levin"], middle["levin"], best["llama.cpp"],
                middle["llama.cpp"], best["levin"] / best["llama.cpp"],
                middle["levin"] / middle["llama.cpp"], max(runs["limit", count])))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--levin")
    parser.add_argument("--llama", required=True)
    parser.add_argument("--model")
    parser.add_argument("--shape", default="m1-5b")
    parser.add_argument("--type", default="Q4_0")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--folder")
    parser.add_argument("--before", default="")
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure_llama(options.llama, options.child, int(options.threads),
                                       options.prefill, options.decode)))
        return
    if not options.levin:
        parser.error("--levin is needed")
    if options.model:
        compare(options, options.model)
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(options.folder or temporary,
                            "random-%s-%s.gguf" % (options.shape, options.type))
        if not os.path.exists(path):
            subprocess.run([sys.executable, os.path.join(HERE, "random_gguf.py"), options.shape,
                            options.type, path], check=True)
        compare(options, path)


if __name__ == "__main__":
    main()
