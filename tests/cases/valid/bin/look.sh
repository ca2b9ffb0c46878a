#!/bin/sh
echo ok 1
