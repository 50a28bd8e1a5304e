"""The kinds of objects that the operator reads and writes, and their addresses in the API."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from posthuman.api.meta import API_VERSION, PLURALS


class Resource(NamedTuple):
    """A kind in the API: `base` like /apis/batch/v1."""

    base: str
    plural: str
    kind: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL's path of all, of a namespace's, or of one."""
        parts = [self.base]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


CONFIG_MAPS = Resource("/api/v1", "configmaps", "ConfigMap")
CLAIMS = Resource("/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
EVENTS = Resource("/api/v1", "events", "Event")
NAMESPACES = Resource("/api/v1", "namespaces", "Namespace")
PODS = Resource("/api/v1", "pods", "Pod")
SECRETS = Resource("/api/v1", "secrets", "Secret")
SERVICES = Resource("/api/v1", "services", "Service")
JOBS = Resource("/apis/batch/v1", "jobs", "Job")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases", "Lease")
POLICIES = Resource("/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
TOKEN_REVIEWS = Resource("/apis/authentication.k8s.io/v1", "tokenreviews", "TokenReview")
ACCESS_REVIEWS = Resource(
    "/apis/authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview"
)
OWN = {kind: Resource(f"/apis/{API_VERSION}", plural, kind) for kind, plural in PLURALS.items()}

WATCHED = {
    resource.kind: resource
    for resource in (*OWN.values(), JOBS, PODS)  # Jobs and pods by our label alone
}
