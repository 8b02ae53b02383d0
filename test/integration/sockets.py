"""Which addresses a process's internet sockets are bound to, as the kernel knows it."""

import ipaddress
import os
import re
from pathlib import Path


def internet_sockets_of(pid: int) -> set[str]:
    """Local addresses of the UDP and TCP sockets, IPv4 and IPv6, of a process."""
    links = (_link(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {m.group(1) for link in links if (m := re.fullmatch(r"socket:\[(\d+)\]", link))}
    found = set()
    for table in ("udp", "udp6", "tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                found.add(_address(fields[1].split(":")[0]))
    return found


def _link(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except OSError:  # closed in between
        return ""


def _address(text: str) -> str:
    """The kernel writes addresses as 32-bit words in this machine's byte order."""
    words = bytes.fromhex(text)
    swapped = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return str(ipaddress.ip_address(swapped))
