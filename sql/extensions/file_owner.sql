-- The extension whose file it is: the name of the file of a number is the number without its stars.
-- in:  domain_uuid uuid, number text, without stars
-- out: extension_uuid
-- index: v_extensions (domain_uuid, extension), recommended by doctor, narrows it to the domain
select extension_uuid
  from v_extensions
 where domain_uuid = %(domain_uuid)s
   and replace(extension, '*', '') = %(number)s
   and enabled::text = 'true'
 order by extension_uuid
 limit 1
