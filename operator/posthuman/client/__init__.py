"""The gateway's API from Python: synchronous, small, without a cluster's configuration.

from posthuman.client import Gateway, WalletKey

gateway = Gateway("https://gateway.example", WalletKey.read(Path("key.txt")))
job = gateway.submit("my-training", spec)
job = gateway.wait(job.id, told=lambda job: print(job.phase, job.message))
gateway.download(job.id, Path("results"))
"""

from posthuman.client.credentials import BearerToken, Credentials, WalletKey
from posthuman.client.gateway import Gateway

__all__ = ["BearerToken", "Credentials", "Gateway", "WalletKey"]
