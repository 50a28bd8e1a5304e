"""The HTTP contract of Ocean's operator-service, so that an unchanged provider drives this one."""
