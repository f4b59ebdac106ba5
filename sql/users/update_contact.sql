-- What the user says of its contact; no row where the contact is gone or another domain's.
-- in:  domain_uuid uuid, contact_uuid uuid, the columns as text
update v_contacts
   set contact_organization = %(contact_organization)s,
       contact_name_given = %(contact_name_given)s,
       contact_name_family = %(contact_name_family)s,
       contact_nickname = %(contact_nickname)s,
       contact_url = %(contact_url)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and contact_uuid = %(contact_uuid)s
