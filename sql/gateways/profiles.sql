-- The SIP profiles that run on a switch.
-- in:  hostname text (of the switch)
-- out: sip_profile_name text
select sip_profile_name from v_sip_profiles
 where sip_profile_enabled::text = 'true'
   and (coalesce(sip_profile_hostname, '') = '' or sip_profile_hostname = %(hostname)s)
