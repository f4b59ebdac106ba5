-- All columns of a gateway; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, gateway_uuid uuid, the columns as text
update v_gateways
   set gateway = %(gateway)s,
       username = %(username)s,
       password = %(password)s,
       distinct_to = %(distinct_to)s,
       auth_username = %(auth_username)s,
       realm = %(realm)s,
       from_user = %(from_user)s,
       from_domain = %(from_domain)s,
       proxy = %(proxy)s,
       register_proxy = %(register_proxy)s,
       outbound_proxy = %(outbound_proxy)s,
       expire_seconds = %(expire_seconds)s,
       register = %(register)s,
       register_transport = %(register_transport)s,
       contact_params = %(contact_params)s,  --? v_gateways.contact_params
       retry_seconds = %(retry_seconds)s,
       extension = %(extension)s,
       ping = %(ping)s,
       ping_min = %(ping_min)s,  --? v_gateways.ping_min
       ping_max = %(ping_max)s,  --? v_gateways.ping_max
       contact_in_ping = %(contact_in_ping)s,  --? v_gateways.contact_in_ping
       caller_id_in_from = %(caller_id_in_from)s,
       supress_cng = %(supress_cng)s,
       sip_cid_type = %(sip_cid_type)s,
       codec_prefs = %(codec_prefs)s,
       channels = %(channels)s,
       extension_in_contact = %(extension_in_contact)s,
       context = %(context)s,
       profile = %(profile)s,
       hostname = %(hostname)s,
       enabled = %(enabled)s,
       description = %(description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and gateway_uuid = %(gateway_uuid)s
