<?php
// The database's box is known by its name.
$db = new mysqli('db', 'shop', getenv('SHOP_PASSWORD') ?: $_SERVER['SHOP_PASSWORD'], 'shop');
$db->query('INSERT INTO visits VALUES ()');
$visits = $db->query('SELECT COUNT(*) FROM visits')->fetch_row()[0];
header('Content-Type: text/plain');
echo "Welcome to the shop. Visits so far: $visits\n";
