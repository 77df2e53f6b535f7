"""Workers are told when their machine is taken back: by hand, or as the clouds say it."""

import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cryopick_ray.launch.render import template_folder

SCRIPT = template_folder() / "leave.sh"
PRIVATE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""The script tells every worker it sees: it must not see those of others."""


def can_be_private():
    tools = all(map(shutil.which, ["unshare", "pkill", "pgrep", "curl"]))
    return tools and subprocess.run([*PRIVATE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not can_be_private(),
    reason="needs root, unshare, pkill and curl: workers in a process space of their own",
)

WORKER = """
cat > {folder}/worker.sh <<'END'
trap 'sleep {last}; echo done >> {folder}/finished; exit' TERM
echo ready >> {folder}/ready
while true; do sleep 0.1; done
END
for name in 'ray::PickHost.process' 'ray::PickHost' 'raylet ray::PickHost'; do
  (exec -a "$name" bash {folder}/worker.sh) &
done
until [ "$(wc -l < {folder}/ready)" = 3 ] 2> /dev/null; do sleep 0.1; done
"""


def leave(folder, what, *, last=0.2, metadata="http://127.0.0.1:9"):
    """Start the script beside two workers, and one process that is none."""
    script = WORKER.format(folder=folder, last=last) + f"sh {SCRIPT} {what}\n"
    return subprocess.Popen(
        [*PRIVATE, "bash", "-c", script],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "METADATA": metadata},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(folder):
    path = folder / "finished"
    return len(path.read_text().split()) if path.exists() else 0


def test_workers_are_told_and_waited_for_and_nobody_else(tmp_path):
    process = leave(tmp_path, "now", last=2)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert finished(tmp_path) == 2


def test_without_workers_there_is_nothing_to_wait_for():
    done = subprocess.run([*PRIVATE, "sh", SCRIPT, "now"], check=False, timeout=20, capture_output=True)
    assert done.returncode == 0


@contextmanager
def cloud(answer):
    """Serve a cloud's metadata: ``answer(method, path, headers)`` returns status and text."""

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answer(self.command, self.path, self.headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_PUT = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def amazon(notice):
    def answer(method, path, headers):
        if (method, path) == ("PUT", "/latest/api/token"):
            return (200, "secret") if headers["X-aws-ec2-metadata-token-ttl-seconds"] else (400, "")
        if headers["X-aws-ec2-metadata-token"] != "secret":
            return 401, ""
        if path == "/latest/meta-data/spot/instance-action" and notice.is_set():
            return 200, '{"action": "terminate"}'
        return 404, ""

    return answer


def google(notice):
    def answer(method, path, headers):
        if headers["Metadata-Flavor"] != "Google" or path != "/computeMetadata/v1/instance/preempted":
            return 403, ""
        return 200, "TRUE" if notice.is_set() else "FALSE"

    return answer


@pytest.mark.parametrize(("kind", "service"), [("aws", amazon), ("gcp", google)])
def test_a_clouds_notice_makes_workers_leave_and_nothing_before_it_does(tmp_path, kind, service):
    notice = threading.Event()
    with cloud(service(notice)) as metadata:
        process = leave(tmp_path, kind, metadata=metadata)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        assert (tmp_path / "ready").exists()
        assert finished(tmp_path) == 0
        notice.set()
        assert "taken back" in process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert finished(tmp_path) == 2


def test_a_cloud_that_does_not_answer_is_no_notice(tmp_path):
    process = leave(tmp_path, "aws")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert finished(tmp_path) == 0


def test_another_word_is_refused():
    done = subprocess.run(["sh", SCRIPT, "soon"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr
