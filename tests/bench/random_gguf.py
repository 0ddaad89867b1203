"""Writes a GGUF file of architecture minimax-01 with random Q4_0 or Q8_0 weights, streaming.

usage: random_gguf.py SHAPE TYPE OUT.gguf     SHAPE: m1-5b, tiny or long; TYPE: Q4_0 or Q8_0

The shapes are those of `levin model random`. Weights come from one pool of random blocks, read from
a random place on for each piece: what is in a weight does not matter for speed. The vocabulary is
that of single bytes. Python's standard library only.
"""
import os
import random
import struct
import sys

SHAPES = {  # hidden, layers, heads, head size, KV heads, experts, width, vocabulary
    "m1-5b": (2048, 16, 16, 128, 4, 32, 1536, 32000),
    "tiny": (256, 8, 4, 64, 4, 8, 512, 4096),
    "long": (128, 8, 4, 32, 2, 4, 128, 1024),
}
TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34)}
POOL_BLOCKS = 1 << 17
ALIGNMENT = 32
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def texts(values):
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(text, values))


def byte_symbols():
    """GPT-2's byte alphabet: printable bytes stand for themselves, the others for U+0100 and on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable}
    names.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return [names[byte] for byte in range(256)]


def keys_of(shape):
    hidden, layers, heads, head, kv_heads, experts, width, vocab = shape
    symbols = byte_symbols()
    markers = ["<begin_of_document>", "<end_of_document>", "<beginning_of_sentence>",
               "<end_of_sentence>"]
    tokens = symbols + [symbols[32] + "t"] + markers  # llama.cpp wants a merge.
    types = [1] * 257 + [3] * len(markers) + [5] * (vocab - len(tokens))
    tokens += ["[PAD%d]" % index for index in range(len(tokens), vocab)]

    def number(value):
        return struct.pack("<II", UINT32, value)

    def real(value):
        return struct.pack("<If", FLOAT32, value)

    def string(value):
        return struct.pack("<I", STRING) + text(value)

    own = {
        "block_count": number(layers), "context_length": number(1 << 20),
        "embedding_length": number(hidden), "feed_forward_length": number(width),
        "attention.head_count": number(heads), "attention.head_count_kv": number(kv_heads),
        "attention.key_length": number(head), "attention.value_length": number(head),
        "attention.layer_norm_rms_epsilon": real(1e-5), "rope.dimension_count": number(head // 2),
        "rope.freq_base": real(1e7), "expert_count": number(experts),
        "expert_used_count": number(2), "residual_scale": real((2 * layers) ** 0.25),
        "full_attention_interval": number(8),
    }
    keys = {"general.architecture": string("minimax-01"), "general.name": string("random weights")}
    keys.update({"minimax-01." + name: value for name, value in own.items()})
    keys["tokenizer.ggml.model"] = string("gpt2")
    keys["tokenizer.ggml.pre"] = string("minimax-m2")
    keys["tokenizer.ggml.tokens"] = texts(tokens)
    keys["tokenizer.ggml.token_type"] = (
        struct.pack("<IIQ", ARRAY, INT32, vocab) + struct.pack("<%di" % vocab, *types))
    keys["tokenizer.ggml.merges"] = texts([symbols[32] + " t"])
    keys["tokenizer.ggml.eos_token_id"] = number(260)
    return keys


def tensors_of(shape, bulk):
    """(name, row-major shape, type), in the order of the file."""
    hidden, layers, heads, head, kv_heads, experts, width, vocab = shape
    wide, narrow = heads * head, kv_heads * head
    plan = [("token_embd", (vocab, hidden), "F16"), ("output_norm", (hidden,), "F32"),
            ("output", (vocab, hidden), bulk)]
    for layer in range(layers):
        block = [("attn_norm", (hidden,), "F32"), ("ffn_norm", (hidden,), "F32"),
                 ("ffn_gate_inp", (experts, hidden), "F32")]
        if layer % 8 == 7:
            block += [("attn_q", (wide, hidden), bulk), ("attn_k", (narrow, hidden), bulk),
                      ("attn_v", (narrow, hidden), bulk), ("attn_output", (hidden, wide), bulk)]
        else:
            block += [("attn_qkv", (3 * wide, hidden), bulk), ("attn_gate", (wide, hidden), bulk),
                      ("attn_norm_2", (wide,), "F32"), ("attn_output", (hidden, wide), bulk)]
        block += [("ffn_gate_exps", (experts, width, hidden), bulk),
                  ("ffn_up_exps", (experts, width, hidden), bulk),
                  ("ffn_down_exps", (experts, hidden, width), bulk)]
        plan += [("blk.%d.%s" % (layer, name), dims, dtype) for name, dims, dtype in block]
    return plan


def bytes_of(dims, dtype):
    count = 1
    for size in dims:
        count *= size
    _, weights, size = TYPES[dtype]
    return count // weights * size


class Pool:
    """Random blocks of a type. Scales keep activations in size: nibbles deviate by 4.6, bytes by 73.9
    from their middle."""

    def __init__(self, dtype, cols, source):
        size = TYPES[dtype][2]
        spread = {"Q4_0": 4.6, "Q8_0": 73.9}[dtype]
        scale = struct.pack("<e", 1 / (spread * cols ** 0.5))
        raw = source.randbytes(POOL_BLOCKS * (size - 2))
        step = size - 2
        self.blocks = b"".join(scale + raw[at:at + step] for at in range(0, len(raw), step))
        self.size, self.source = size, source

    def write(self, file, count):
        while count > 0:
            begin = self.source.randrange(POOL_BLOCKS) * self.size
            piece = memoryview(self.blocks)[begin:begin + count]
            file.write(piece)
            count -= len(piece)


def write_plain(file, name, dims, dtype, source):
    count, cols = bytes_of(dims, dtype) // TYPES[dtype][2], dims[-1]
    if len(dims) == 1:
        file.write(struct.pack("<f", 1.0) * count)
        return
    reach = 3 ** 0.5 * (1 if name == "token_embd" else cols ** -0.5)
    row = [source.uniform(-reach, reach) for _ in range(min(count, 1 << 16))]
    packed = struct.pack("<%d%s" % (len(row), "e" if dtype == "F16" else "f"), *row)
    size = TYPES[dtype][2]
    while count > 0:  # Another beginning each time: no two rows of the embedding are the same.
        begin = source.randrange(len(row)) * size
        piece = memoryview(packed)[begin:begin + count * size]
        file.write(piece)
        count -= len(piece) // size


def write(shape, bulk, path):
    source = random.Random(1)
    keys, plan = keys_of(shape), tensors_of(shape, bulk)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(plan), len(keys))
    head += b"".join(text(name) + value for name, value in keys.items())
    offset = 0
    for name, dims, dtype in plan:
        head += text(name + ".weight") + struct.pack("<I", len(dims))
        head += b"".join(struct.pack("<Q", size) for size in reversed(dims))
        head += struct.pack("<IQ", TYPES[dtype][0], offset)
        offset += -(-bytes_of(dims, dtype) // ALIGNMENT) * ALIGNMENT
    pools = {}
    with open(path + ".part", "wb") as file:
        file.write(head)
        for name, dims, dtype in plan:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            if dtype in ("F32", "F16"):
                write_plain(file, name, dims, dtype, source)
                continue
            if dims[-1] not in pools:
                pools[dims[-1]] = Pool(dtype, dims[-1], source)
            pools[dims[-1]].write(file, bytes_of(dims, dtype))
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
    os.replace(path + ".part", path)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES or sys.argv[2] not in ("Q4_0", "Q8_0"):
        sys.exit(__doc__)
    write(SHAPES[sys.argv[1]], sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    main()
