-- A contact for the user, as FusionPBX's user page makes it.
-- in:  domain_uuid uuid, contact_uuid uuid, the columns as text
insert into v_contacts (
  contact_uuid,
  domain_uuid,
  contact_type,
  contact_organization,
  contact_name_given,
  contact_name_family,
  contact_nickname,
  contact_url,
  insert_date
) values (
  %(contact_uuid)s,
  %(domain_uuid)s,
  'user',
  %(contact_organization)s,
  %(contact_name_given)s,
  %(contact_name_family)s,
  %(contact_nickname)s,
  %(contact_url)s,
  now()
)
