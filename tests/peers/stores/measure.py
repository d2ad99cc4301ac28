"""Sizes and times of the programs that `make stores` built, in interleaved rounds, against moto on this machine."""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

ROUNDS = 31
BLOB_BYTES = 300_000  # about what one compiled Rust plugin takes
folder = pathlib.Path(sys.argv[1])
names = ["neither", "object_store", "aws-sdk-s3"]

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
url = f"http://127.0.0.1:{port}"
quiet = subprocess.DEVNULL
moto = subprocess.Popen(
    [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
    env={**os.environ, "PYTHONPATH": ".tools/moto"}, stdout=quiet, stderr=quiet)
try:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}

    def put(path, body):
        request = urllib.request.Request(url + path, data=body, method="PUT", headers=signed)
        urllib.request.urlopen(request).read()

    put("/releases", b"")
    put("/releases/pointer", b"p" * 600)
    for number in range(3):
        put(f"/releases/blob-{number}", os.urandom(BLOB_BYTES))
    env = {
        "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_S3": url, "PATH": os.environ["PATH"],
    }
    times = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            begun = time.perf_counter()
            subprocess.run([folder / name, "releases"], env=env, check=True)
            times[name].append((time.perf_counter() - begun) * 1000)
finally:
    moto.kill()
    moto.wait()

print(f"{'':14} {'MiB':>6} {'ms from spawn to all objects read, median':>42}")
for name in names:
    print(f"{name:14} {(folder / name).stat().st_size / 2**20:6.1f} {statistics.median(times[name]):42.1f}")
