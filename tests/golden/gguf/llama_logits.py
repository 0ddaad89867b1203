"""Logits of llama.cpp for given GGUF files and token ids, through its C library.

usage: llama_logits.py FOLDER-WITH-libllama TOKENS.json OUT.json FILE.gguf...

FOLDER is bins/linux-x64 of the npm package @node-llama-cpp/linux-x64. TOKENS.json is a list of ids;
OUT.json gets, for each file, one row of logits per token, rounded to 6 digits. See README.md.
"""
import ctypes
import glob
import json
import os
import sys


class Opaque(ctypes.Structure):
    """A parameter struct, of which only the first numbers are touched. It is larger than the real one:
    by the x86-64 calling convention such a struct lies on the stack, and the callee reads its own part."""
    _fields_ = [("words", ctypes.c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("pointers", ctypes.c_void_p * 6)]


def open_library(folder):
    for name in ("libggml-base.so", "libggml.v*.so", "libllama.v*.so"):
        library = ctypes.CDLL(glob.glob(os.path.join(folder, name))[0], mode=ctypes.RTLD_GLOBAL)
        if name.startswith("libggml.v"):
            library.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
            library.ggml_backend_load_all_from_path(folder.encode())
    pointer = ctypes.c_void_p
    library.llama_model_default_params.restype = Opaque
    library.llama_context_default_params.restype = Opaque
    library.llama_model_load_from_file.argtypes = [ctypes.c_char_p, Opaque]
    library.llama_model_load_from_file.restype = pointer
    library.llama_init_from_model.argtypes = [pointer, Opaque]
    library.llama_init_from_model.restype = pointer
    library.llama_model_get_vocab.argtypes = [pointer]
    library.llama_model_get_vocab.restype = pointer
    library.llama_set_n_threads.argtypes = [pointer, ctypes.c_int32, ctypes.c_int32]
    library.llama_vocab_n_tokens.argtypes = [pointer]
    library.llama_batch_get_one.argtypes = [ctypes.POINTER(ctypes.c_int32), ctypes.c_int32]
    library.llama_batch_get_one.restype = Batch
    library.llama_decode.argtypes = [pointer, Batch]
    library.llama_get_logits_ith.argtypes = [pointer, ctypes.c_int32]
    library.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
    library.llama_backend_init()
    return library


def logits_of(library, path, ids):
    """One token at a time: the recurrent form, whose logits llama.cpp gives out after each."""
    model = library.llama_model_load_from_file(path.encode(), library.llama_model_default_params())
    if not model:
        sys.exit("llama.cpp refuses " + path)
    params = library.llama_context_default_params()
    params.words[0] = 512  # n_ctx
    params.words[1] = 512  # n_batch
    context = library.llama_init_from_model(model, params)
    library.llama_set_n_threads(context, 1, 1)  # More only spin on matrices this small.
    size = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))
    rows = []
    for token in ids:
        one = (ctypes.c_int32 * 1)(token)
        if library.llama_decode(context, library.llama_batch_get_one(one, 1)) != 0:
            sys.exit("llama_decode failed on " + path)
        row = library.llama_get_logits_ith(context, -1)
        rows.append([float("%.6g" % row[i]) for i in range(size)])
    return rows


def main():
    folder, tokens, out, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    library = open_library(folder)
    with open(tokens, encoding="ascii") as file:
        ids = json.load(file)
    results = {os.path.basename(path)[:-5]: logits_of(library, path, ids) for path in files}
    with open(out, "w", encoding="ascii") as file:
        json.dump({"tokens": ids, "logits": results}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
