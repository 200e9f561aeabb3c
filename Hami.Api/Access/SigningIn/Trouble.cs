using System.Security.Cryptography;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Npgsql;

namespace Hami.Api.Access.SigningIn;

/// <summary>Why somebody who came back from the provider is not signed in; the page has a sentence for each.</summary>
internal enum Trouble
{
    /// <summary>The provider, or the one who was asked there, said no.</summary>
    Denied,

    /// <summary>The provider does not answer us, or not now.</summary>
    Unreachable,

    /// <summary>The provider does not take us for a client of its own, or not with what we ask for.</summary>
    Refused,

    /// <summary>It was begun in another browser, too long ago, or is used up.</summary>
    Stale,

    /// <summary>The token does not say who it is.</summary>
    Unnamed,

    /// <summary>The token names no groups at all.</summary>
    Groups,

    /// <summary>None of the groups sees anything.</summary>
    Nothing,

    /// <summary>What the provider gave is no token for us.</summary>
    Unaccepted,

    /// <summary>PostgreSQL could not be asked.</summary>
    Unavailable,
}

/// <summary>Finds out what went wrong.</summary>
internal static class Troubles
{
    private static readonly HashSet<string> OfWhoSignsIn = new(StringComparer.Ordinal)
    {
        "access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required",
    };

    public static Trouble Of(Exception? failure) => failure switch
    {
        OpenIdConnectProtocolInvalidNonceException => Trouble.Stale,
        OpenIdConnectProtocolException e => e.Data["error"] switch
        {
            string said when OfWhoSignsIn.Contains(said) => Trouble.Denied,
            "temporarily_unavailable" or "server_error" => Trouble.Unreachable,
            // The code: older than the provider keeps it, or used before.
            "invalid_grant" => Trouble.Stale,
            string => Trouble.Refused,
            // Where it gives tokens out it answered with what cannot be read: the page of a proxy in front of it.
            _ when e.InnerException is not null => Trouble.Unreachable,
            _ => Trouble.Unaccepted,
        },
        CryptographicException or NpgsqlException => Trouble.Unavailable, // the keys could not be read
        // By the library's own looks at what the browser brings: state, its cookie, the code.
        AuthenticationFailureException { InnerException: null } => Trouble.Stale,
        InvalidOperationException or HttpRequestException or IOException or OperationCanceledException => Trouble.Unreachable,
        _ => Trouble.Unaccepted,
    };
}
