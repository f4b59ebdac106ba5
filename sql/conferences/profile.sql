-- Whether there is a conference profile of a name that FusionPBX offers; profiles belong to the system, not to
-- domains, and the one for shared lines is for nothing else.
-- in:  profile text
-- out: a row where there is one
select 1 as found
  from v_conference_profiles
 where profile_name = %(profile)s and profile_enabled::text = 'true' and profile_name <> 'sla'
