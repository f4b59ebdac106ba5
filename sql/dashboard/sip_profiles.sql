-- The SIP profiles that may have registrations; names that a command could not hold are left out.
-- out: name text
select sip_profile_name as name
  from v_sip_profiles
 where sip_profile_enabled::text = 'true' and sip_profile_name ~ '^[A-Za-z0-9_.-]+$'
 order by sip_profile_name
