SELECT epoch FROM tenant WHERE id = $1
