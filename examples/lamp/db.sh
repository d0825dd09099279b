#!/bin/bash
# Installs MariaDB and makes the shop's database. It can run again.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends mariadb-server

cat >/etc/mysql/mariadb.conf.d/90-shop.cnf <<'CNF'
[mariadbd]
bind-address = 0.0.0.0
CNF
systemctl restart mariadb

mariadb <<SQL
CREATE DATABASE IF NOT EXISTS shop;
CREATE OR REPLACE USER shop IDENTIFIED BY '$SHOP_PASSWORD';
GRANT ALL ON shop.* TO shop;
CREATE TABLE IF NOT EXISTS shop.visits (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
SQL
