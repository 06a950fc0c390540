"""A three-node kind cluster for the tests of pods, with or without a container registry.

`python -m kind up` (in `tests/`) decides once which of two worlds this machine is:

* its **own Docker** answers: kind takes the public node image, kindnet and Contour's public images;
* else a **private** one is made, as root: Debian's docker in a network namespace of its own, and
  every image built here, from Debian packages and Go modules. Nothing in it has a way out.

From there on nothing differs: three nodes, enforced NetworkPolicies, Contour and Envoy for the
Ingress and the HTTPRoute, the product's images loaded. `python -m kind run -- COMMAND` runs a
command where it reaches the cluster; `python -m kind down` takes everything away but the caches.
`up --variant NAME` makes another kind of cluster: see `variants.py`.
"""
