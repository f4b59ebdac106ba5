-- A new gateway.
-- in:  domain_uuid uuid, gateway_uuid uuid, the columns as text
insert into v_gateways (
  gateway_uuid,
  domain_uuid,
  gateway,
  username,
  password,
  distinct_to,
  auth_username,
  realm,
  from_user,
  from_domain,
  proxy,
  register_proxy,
  outbound_proxy,
  expire_seconds,
  register,
  register_transport,
  contact_params,  --? v_gateways.contact_params
  retry_seconds,
  extension,
  ping,
  ping_min,  --? v_gateways.ping_min
  ping_max,  --? v_gateways.ping_max
  contact_in_ping,  --? v_gateways.contact_in_ping
  caller_id_in_from,
  supress_cng,
  sip_cid_type,
  codec_prefs,
  channels,
  extension_in_contact,
  context,
  profile,
  hostname,
  enabled,
  description,
  insert_date
) values (
  %(gateway_uuid)s,
  %(domain_uuid)s,
  %(gateway)s,
  %(username)s,
  %(password)s,
  %(distinct_to)s,
  %(auth_username)s,
  %(realm)s,
  %(from_user)s,
  %(from_domain)s,
  %(proxy)s,
  %(register_proxy)s,
  %(outbound_proxy)s,
  %(expire_seconds)s,
  %(register)s,
  %(register_transport)s,
  %(contact_params)s,  --? v_gateways.contact_params
  %(retry_seconds)s,
  %(extension)s,
  %(ping)s,
  %(ping_min)s,  --? v_gateways.ping_min
  %(ping_max)s,  --? v_gateways.ping_max
  %(contact_in_ping)s,  --? v_gateways.contact_in_ping
  %(caller_id_in_from)s,
  %(supress_cng)s,
  %(sip_cid_type)s,
  %(codec_prefs)s,
  %(channels)s,
  %(extension_in_contact)s,
  %(context)s,
  %(profile)s,
  %(hostname)s,
  %(enabled)s,
  %(description)s,
  now()
)
