#!/bin/bash
# Installs Apache with PHP and tells it the database's password.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends apache2 libapache2-mod-php php-mysql

# PHP looks at every request whether a file has changed.
for dir in /etc/php/*/mods-available; do
  echo 'opcache.revalidate_freq = 0' >"$dir/development.ini"
done
phpenmod development

install -m 640 -g www-data /dev/null /etc/apache2/conf-available/shop.conf
echo "SetEnv SHOP_PASSWORD \"$SHOP_PASSWORD\"" >/etc/apache2/conf-available/shop.conf
a2enconf -q shop
systemctl restart apache2
