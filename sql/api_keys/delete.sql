-- An API key goes; the caller has read it within its domains, and locked it.
-- in:  api_key_uuid uuid
-- index: primary key
delete from pbxapi.api_key where api_key_uuid = %(api_key_uuid)s
