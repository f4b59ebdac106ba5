-- Whether there is a SIP profile of a name; profiles belong to the system, not to domains.
-- in:  profile text
-- out: a row where there is one
select 1 as found from v_sip_profiles where sip_profile_name = %(profile)s
