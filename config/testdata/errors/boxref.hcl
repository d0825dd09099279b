defaults { image = "debian:bookworm" }
locals { a = box.db.ip } # ERROR: Unknown variable
box "db" {}
box "web" {
  count   = 2
  message = box.db.ip # ERROR: Unknown variable
  provisioner "shell" {
    inline = "${box.db.ip} ${box.web[count.index].hostname} ${box["web-${count.index}"].name}"
    args   = [box.web[1 - count.index].ip] # ERROR: Cycle
  }
}
box "edge" {
  for_each = { a = 1 }
  provisioner "shell" {
    inline = box.bd.ip # ERROR: Unknown box
    env    = { A = box.db.pi, B = box.web.ip } # ERROR: Unknown variable # ERROR: Invalid reference
    args   = [box["web-${each.value + 1}"].ip, box["web-${each.value}"], [for i in [0] : box["web-${i}"].ip], box.web[*].ip] # ERROR: Invalid reference # ERROR: Unknown box
    dir    = box.web[5].ip # ERROR: Invalid reference
    run    = box.db.ip # ERROR: Unknown variable
    nested { x = box.none.ip } # ERROR: Unknown box
  }
}
box "a" {
  depends_on = ["b"]
}
box "b" {
  provisioner "shell" {
    inline = box.a.ip # ERROR: Cycle
  }
}
