"""Uses the client that was generated from the OpenAPI document, as its user would: python3 use_client.py FOLDER URL KEY."""

import sys

folder, url, key = sys.argv[1:]
sys.path.insert(0, folder)

from shortener_client import AuthenticatedClient
from shortener_client.api.urls import create_url, delete_url, get_url, list_urls, update_url
from shortener_client.api.users import create_user
from shortener_client.models import NewUrl, NewUser, Problem, ShortUrl, UrlChange, User

with AuthenticatedClient(base_url=url, token=key) as client:
    user = create_user.sync(client=client, body=NewUser(username="Ada", email="ada@example.com"))
    assert isinstance(user, User), user
    assert user.username == "Ada", user

    new = NewUrl(user_id=user.id, original_url="https://example.com/page", title="A page")
    short = create_url.sync(client=client, body=new)
    assert isinstance(short, ShortUrl), short
    assert (short.original_url, short.title, short.status) == ("https://example.com/page", "A page", 302), short
    assert short.expires_at is None and short.created_at.tzinfo is not None, short

    listed = list_urls.sync_detailed(client=client, user_id=user.id, per_page=5)
    assert [one.id for one in listed.parsed] == [short.id], listed
    assert listed.headers["x-total-count"] == "1", listed

    changed = update_url.sync(short.id, client=client, body=UrlChange(title=None, is_active=False))
    assert isinstance(changed, ShortUrl) and changed.title is None and not changed.is_active, changed

    missing = get_url.sync_detailed(short.id + 1, client=client)
    assert missing.status_code == 404, missing
    assert isinstance(missing.parsed, Problem), missing
    assert missing.parsed.status == 404, missing

    refused = create_user.sync(client=client, body=NewUser(username=" ", email="nobody"))
    assert isinstance(refused, Problem), refused
    assert set(refused.errors.additional_properties) == {"username", "email"}, refused

    deleted = delete_url.sync_detailed(short.id, client=client)
    assert deleted.status_code == 204, deleted

with AuthenticatedClient(base_url=url, token="no key") as stranger:
    answer = list_urls.sync_detailed(client=stranger)
    assert answer.status_code == 401, answer

print("all of it worked")
