"""A process that renews the tokens when it is told, from as many threads as it is told."""

import sys
import threading

from gateway import config as configuration
from gateway import connections, database
from gateway.web import app

config = configuration.load(configuration.path_of(None))
engine = database.connect(config.database.url)
keeper = connections.keeper(config, engine, app.seconds_now)
print("ready", flush=True)
used, count = sys.stdin.readline().split()
got = []
threads = [threading.Thread(target=lambda: got.append(keeper.renew(used))) for _ in range(int(count))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(" ".join(sorted(set(got))), len(got), flush=True)
