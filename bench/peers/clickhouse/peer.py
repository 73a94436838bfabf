"""The peer of bench/telembench that runs ClickHouse in process, through chdb. bench/peer/protocol.go has the protocol."""

import json
import os
import re
import resource
import sys
import time

from chdb import session

# What a query's result may be fetched as; each leaves all of it in this process's memory.
FORMATS = ["Native", "ArrowStream"]

SETTINGS = {
    "use_query_condition_cache": 0,  # it answers a repeated filter from memory
    "session_timezone": "'UTC'",
    "output_format_arrow_compression_method": "'none'",
    "output_format_decimal_trailing_zeros": 0,
}

ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "'": "'"}


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def resident(name):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1]) << 10
    return 0


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass


def kind(name):
    while m := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", name):
        name = m.group(1)
    if re.fullmatch(r"U?Int\d+|Bool", name):
        return "int"
    if name.startswith(("Float", "Decimal")):
        return "float"
    if name.startswith("Date"):
        return "time"
    return "text"


def unescape(s):
    if "\\" not in s:
        return s
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m.group(1), m.group(1)), s, flags=re.S)


def canonical(s, of):
    if s == "\\N":
        return None
    s = unescape(s)
    if of == "int":
        return {"true": "1", "false": "0"}.get(s, s)
    if of == "float":
        return {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(s, s)
    if of == "time":
        if "." in s:
            s = s.rstrip("0").rstrip(".")
        return s.removesuffix(" 00:00:00")
    return s


class Engine:
    def __init__(self):
        self.session = None

    def open(self, q):
        self.session = session.Session(q["dir"])
        for name, value in SETTINGS.items():
            self.session.query(f"SET {name} = {value}")
        self.session.query(f"SET max_threads = {q['threads']}")
        self.session.query(f"SET max_insert_threads = {q['threads']}")
        self.session.query(f"SET max_memory_usage = {q['memory']}")
        return str(self.session.query("SELECT version()", "TSVRaw")).strip()

    def exec(self, sql):
        self.session.query(sql)

    def load(self, q):
        shape = ", ".join(f"`{c['name']}` {c['type']}" for c in q["columns"])
        name, shape = q["file"].replace("'", "\\'"), shape.replace("'", "\\'")
        self.session.query(f"INSERT INTO {q['table']} SELECT * FROM file('{name}', 'CSV', '{shape}')")

    def seal(self, q):
        os.sync()  # MergeTree does not sync what it inserts

    def settle(self, q):
        for name in str(self.session.query("SHOW TABLES", "TSVRaw")).split():
            self.session.query(f"OPTIMIZE TABLE {name} FINAL")
        os.sync()

    def query(self, sql, form):
        result = self.session.query(sql, form or FORMATS[0])
        return result.size()

    def verify(self, sql):
        text = str(self.session.query(sql, "TSVWithNamesAndTypes"))
        lines = text.split("\n")
        if len(lines) < 2:
            raise ValueError("the statement has no result")
        names, types = lines[0].split("\t"), lines[1].split("\t")
        columns = [{"name": unescape(n), "type": unescape(t), "kind": kind(unescape(t))} for n, t in zip(names, types)]
        rows = [[canonical(v, c["kind"]) for v, c in zip(line.split("\t"), columns)] for line in lines[2:-1]]
        return columns, rows

    def trim(self):
        try:
            self.session.query("SYSTEM JEMALLOC PURGE")
        except Exception:  # a build without jemalloc
            pass

    def size(self, tables):
        names = ", ".join(f"'{t}'" for t in tables)
        return int(str(self.session.query(
            f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table IN ({names})", "TSVRaw")))

    def close(self):
        if self.session:
            self.session.close()
            self.session = None


def timed(answer, f, *args):
    if "nanos" not in answer:
        reset_peak()
        answer.update(nanos=[], cpu=0, wall=0, rss=resident("VmRSS"))
    before, began = cpu(), time.perf_counter_ns()
    out = f(*args)
    took = time.perf_counter_ns() - began
    answer["cpu"] += cpu() - before
    answer["wall"] += took
    answer["nanos"].append(took)
    answer["peak"] = resident("VmHWM")
    return out


def answer(engine, q):
    a = {}
    op = q["op"]
    if op == "open":
        a["formats"] = FORMATS
        a["version"] = timed(a, engine.open, q)
    elif op == "exec":
        timed(a, engine.exec, q["sql"])
    elif op in ("load", "seal", "settle"):
        timed(a, getattr(engine, op), q)
    elif op == "query" and q.get("verify"):
        a["columns"], a["data"] = timed(a, engine.verify, q["sql"])
        a["rows"] = len(a["data"])
    elif op == "query":
        a["rows"] = -1
        for _ in range(max(q.get("repeat", 0), 1)):
            timed(a, engine.query, q["sql"], q.get("format"))
    elif op == "trim":
        engine.trim()
        a["rss"] = resident("VmRSS")
    elif op == "size":
        a["bytes"] = engine.size(q["tables"])
    elif op == "stop":
        engine.close()
    else:
        raise ValueError(f"unknown request {op}")
    return a


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    engine = Engine()
    for line in sys.stdin:
        q = json.loads(line)
        try:
            a = answer(engine, q)
        except Exception as e:
            a = {"error": str(e) or repr(e)}
        out.write(json.dumps(a) + "\n")
        out.flush()
        if q["op"] == "stop":
            return
    engine.close()


main()
