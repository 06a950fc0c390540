"""`python -m kind up [--variant NAME] | images | units | run -- COMMAND… | down`, in `tests/`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from kind import cluster, daemon, images
from kind.shell import Failed, say, works
from kind.variants import DEFAULT, VARIANTS, require_ipv6
from kind.world import World, here


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kind")
    commands = parser.add_subparsers(required=True, dest="command")
    up = commands.add_parser("up", help="make what is missing: daemons, images, nodes, ingress")
    up.add_argument("--variant", choices=sorted(VARIANTS), default=DEFAULT.name)
    commands.add_parser("images", help="build the product's images anew and load them")
    commands.add_parser("units", help="run the unit tests in the dev image")
    commands.add_parser("down", help="take the cluster and its daemons away; caches stay")
    part = commands.add_parser("run", help="run a command where it reaches the cluster")
    part.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    # Debian's daemons and network tools stand there, which root's PATH need not name.
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        return _do(options)
    except Failed as error:
        say(str(error))
        return 1


def _do(options: argparse.Namespace) -> int:
    world = here()
    match options.command:
        case "up":
            say(
                "no Docker answers here: a private one is made, with images built from packages"
                if world.private
                else "using the Docker that runs here, and its public images"
            )
            if world.private:
                daemon.require_root()
            variant = VARIANTS[options.variant]
            if variant.family == "ipv6":
                require_ipv6()
            world.choose(variant)
            world.link_programs()
            if world.private:
                daemon.start(world)
            cluster.make(world, images.node(world) if world.private else None)
            cluster.load_product(world)
        case "images":
            cluster.load_product(world)
        case "units":
            return images.unit_tests(world)
        case "run":
            words = options.words[1:] if options.words[:1] == ["--"] else options.words
            command = [os.fspath(word) for word in world.inside(*words)]
            return subprocess.run(command, check=False, env=world.tests).returncode
        case "down":
            _down(world)
    return 0


def _down(world: World) -> None:
    """Take away what answers, and then the daemons of a private world, whatever they still do."""
    try:
        if works(*world.inside("docker", "version"), env=world.docker):
            world.link_programs()
            cluster.delete(world)
        if world.private and works("docker", "version", env=world.builder):
            images.tidy(world)
    finally:
        if world.private:
            daemon.stop(world)


if __name__ == "__main__":
    sys.exit(main())
