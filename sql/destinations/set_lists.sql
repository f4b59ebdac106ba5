-- The lists of a destination.
-- in:  domain_uuid uuid, destination_uuid uuid, actions and conditions: json text, or null for none
update v_destinations
   set destination_actions = %(actions)s::json,
       destination_conditions = %(conditions)s::json
 where domain_uuid = %(domain_uuid)s and destination_uuid = %(destination_uuid)s
