"""A PyTorch program that does what it is told, a line at a time."""

import concurrent.futures
import sys
import time

begin = time.monotonic()
try:
    import torch
except ImportError:
    print("SKIP no torch here", flush=True)
    sys.exit(0)
if not torch.cuda.is_available():
    print("SKIP torch sees no card", flush=True)
    sys.exit(0)

held = []


def take(size):
    try:
        held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        return "ok"
    except torch.OutOfMemoryError:
        return "OutOfMemoryError"


def fill(block):
    """MiB that could be had in blocks of that many bytes."""
    count = 0
    while count < 4096 and take(block) == "ok":
        count += 1
    return str(count * block >> 20)


def drop():
    held.clear()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return str(torch.cuda.mem_get_info()[0])


def threads():
    """Allocates in threads that have done nothing with the card before, as loaders of models do."""

    def work(_):
        return torch.ones(64 << 20, dtype=torch.uint8, device="cuda")[0].item()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return str(sum(pool.map(work, range(8))))


def rate(step, seconds, batch):
    """Steps a second, the device's work included."""
    torch.cuda.synchronize()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(batch):
            step()
        torch.cuda.synchronize()
        steps += batch
    return str(steps / (time.perf_counter() - start))


loops = {}


def loop(name, make):
    """The step of a loop, made once and warmed up."""
    if name not in loops:
        loops[name] = make()
        for _ in range(20):
            loops[name]()
    return loops[name]


def make_mlp():
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(512, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024),
                              torch.nn.ReLU(), torch.nn.Linear(1024, 10)).cuda()
    optimizer = torch.optim.Adam(net.parameters())
    inputs, wanted = torch.randn(256, 512, device="cuda"), torch.randint(10, (256,), device="cuda")

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs), wanted).backward()
        optimizer.step()

    return step


def make_matmul():
    left, right = (torch.randn(4096, 4096, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def make_graph_matmul():
    """Ten of the products in a graph, so that only graphs are launched."""
    product = make_matmul()
    product()
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        for _ in range(10):
            product()
    return captured.replay


def make_stream():
    """Half a gigabyte read and written: as fast as the memory is, whatever the clock."""
    numbers = torch.zeros(64 << 20, device="cuda")
    return lambda: numbers.add_(1)


def make_small():
    numbers = torch.zeros(16, device="cuda")
    return lambda: numbers.add_(1)


def make_churn():
    """Every step asks the driver for memory and gives it back."""

    def step():
        block = torch.empty(32 << 20, dtype=torch.uint8, device="cuda")
        del block
        torch.cuda.empty_cache()

    return step


def graph():
    """Captured and replayed; the sum tells whether it ran as often as it should."""
    total = torch.zeros(1 << 20, device="cuda")
    captured = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(captured):
        total += torch.ones(1 << 20, device="cuda")
    for _ in range(10):
        captured.replay()
    torch.cuda.synchronize()
    return str(int(total.sum().item()) >> 20)


makers = {"mlp": (make_mlp, 50), "matmul": (make_matmul, 50), "graph-matmul": (make_graph_matmul, 5),
          "stream": (make_stream, 50), "small": (make_small, 1000), "churn": (make_churn, 10)}
torch.zeros(1, device="cuda")
print(f"ready {time.monotonic() - begin:.2f} {torch.__version__}", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "info":
        answer = "{} {} {}".format(*torch.cuda.mem_get_info(), torch.cuda.get_device_properties(0).total_memory)
    elif words[0] in ("take", "fill"):
        answer = globals()[words[0]](int(words[1]))
    elif words[0] in ("drop", "graph", "threads"):
        answer = globals()[words[0]]()
    else:
        maker, batch = makers[words[0]]
        answer = rate(loop(words[0], maker), float(words[1]), batch)
    print(answer, flush=True)
