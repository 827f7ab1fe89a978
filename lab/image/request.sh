#!/bin/sh
# What reached the container: used by the tests of routing.
printf 'Content-Type: text/plain\r\n\r\n'
echo "container $(hostname)"
echo "client $REMOTE_ADDR"
echo "method $REQUEST_METHOD"
echo "query $QUERY_STRING"
env | grep '^HTTP_' | sort
