-- The user whose uuid the extension's directory entry carries: the first that is linked.
-- in:  domain_uuid uuid, extension_uuid uuid
-- out: user_uuid uuid, contact_uuid uuid or null; at most one row
select u.user_uuid, u.contact_uuid
  from v_extension_users as x
  join v_users as u on u.user_uuid = x.user_uuid and u.domain_uuid = %(domain_uuid)s
 where x.domain_uuid = %(domain_uuid)s and x.extension_uuid = %(extension_uuid)s
 order by u.username
 limit 1
