-- One gateway.
-- in:  domain_uuid uuid, gateway_uuid uuid
-- out: every column that FusionPBX's editor lets one change, as text; flags as "true"/"false", those that the
--      switch decides on when they are not set as '' then
-- index: primary key
select g.gateway_uuid,
       coalesce(g.gateway, '') as gateway,
       coalesce(g.username, '') as username,
       coalesce(g.password, '') as password,
       coalesce(g.proxy, '') as proxy,
       coalesce(g.register::text, 'true') as register,
       coalesce(g.profile, '') as profile,
       coalesce(g.enabled::text, 'false') as enabled,
       coalesce(g.description, '') as description,
       coalesce(g.auth_username, '') as auth_username,
       coalesce(g.realm, '') as realm,
       coalesce(g.from_user, '') as from_user,
       coalesce(g.from_domain, '') as from_domain,
       coalesce(g.register_proxy, '') as register_proxy,
       coalesce(g.outbound_proxy, '') as outbound_proxy,
       coalesce(g.expire_seconds::text, '') as expire_seconds,
       coalesce(g.register_transport, '') as register_transport,
       coalesce(g.retry_seconds::text, '') as retry_seconds,
       coalesce(g.extension, '') as extension,
       coalesce(g.ping::text, '') as ping,
       coalesce(g.ping_min::text, '') as ping_min,  --? v_gateways.ping_min
       coalesce(g.ping_max::text, '') as ping_max,  --? v_gateways.ping_max
       coalesce(g.contact_in_ping::text, '') as contact_in_ping,  --? v_gateways.contact_in_ping
       coalesce(g.context, '') as context,
       coalesce(g.hostname, '') as hostname,
       coalesce(g.distinct_to::text, '') as distinct_to,
       coalesce(g.contact_params, '') as contact_params,  --? v_gateways.contact_params
       coalesce(g.caller_id_in_from::text, '') as caller_id_in_from,
       coalesce(g.supress_cng::text, '') as supress_cng,
       coalesce(g.sip_cid_type, '') as sip_cid_type,
       coalesce(g.extension_in_contact::text, '') as extension_in_contact,
       coalesce(g.codec_prefs, '') as codec_prefs,
       coalesce(g.channels::text, '') as channels
  from v_gateways as g
 where g.domain_uuid = %(domain_uuid)s and g.gateway_uuid = %(gateway_uuid)s
