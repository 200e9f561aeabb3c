using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Hami.Api.Access;

/// <summary>An OpenID provider has signed who asks and which groups they are in; what a group sees is ours to say.</summary>
internal sealed class OidcGate(OidcOptions options) : IGate
{
    public async ValueTask<Viewer> AdmitAsync(HttpContext http)
    {
        _ = BearerToken.Of(http.Request);
        AuthenticateResult result;
        try
        {
            result = await http.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        }
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or IOException)
        {
            // The provider's keys could not be fetched.
            throw Unreachable(e);
        }
        if (result.Failure is { } failure)
            throw failure is SecurityTokenException or ArgumentException && await HasKeysAsync(http) ? Unknown(failure) : Unreachable(failure);
        return result.Principal is { } who && ViewerOf(who, options) is { } viewer
            ? viewer
            : throw new AccessRefusedException(StatusCodes.Status401Unauthorized, $"the token has no claim \"{options.NameClaim}\" that says who you are");
    }

    /// <summary>Who a token is for, and what they may see; null where it does not say who.</summary>
    public static Viewer? ViewerOf(ClaimsPrincipal who, OidcOptions options) => who.FindFirstValue(options.NameClaim) is { Length: > 0 } name
        ? new(name, ScopeOf(who.FindAll(options.GroupsClaim).Select(c => c.Value), options))
        : null;

    // Without the provider's keys every token looks wrong.
    private static async Task<bool> HasKeysAsync(HttpContext http)
    {
        var bearer = http.RequestServices.GetRequiredService<IOptionsMonitor<JwtBearerOptions>>().Get(JwtBearerDefaults.AuthenticationScheme);
        try
        {
            return bearer.ConfigurationManager is { } keys && await keys.GetConfigurationAsync(http.RequestAborted) is not null;
        }
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or IOException)
        {
            return false;
        }
    }

    /// <summary>What the groups see together.</summary>
    private static Scope ScopeOf(IEnumerable<string> groups, OidcOptions options)
    {
        var scopes = groups.Select(g => options.Scopes.GetValueOrDefault(g)).OfType<Scope>().ToList();
        return new(
            scopes.Exists(s => s.AllNamespaces), scopes.Exists(s => s.Nodes), scopes.SelectMany(s => s.Namespaces).ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>Sets up the library that checks the tokens.</summary>
    public static void AddTo(IServiceCollection services, OidcOptions options) =>
        services.AddAuthentication().AddJwtBearer(bearer =>
        {
            bearer.Authority = options.Issuer.ToString();
            bearer.TokenValidationParameters.ValidAudiences = options.Audiences;
            bearer.MapInboundClaims = false;
            bearer.RequireHttpsMetadata = !options.Issuer.IsLoopback;
            bearer.TokenValidationParameters.NameClaimType = options.NameClaim;
            // Both are in use for one issuer.
            bearer.TokenValidationParameters.ValidIssuers = options.Spellings;
        });

    private AccessRefusedException Unknown(Exception why) =>
        new(StatusCodes.Status401Unauthorized, $"the token is not one that {options.Issuer} gave for \"{options.Audience}\", or its time is over", why);

    private AccessRefusedException Unreachable(Exception why) =>
        new(StatusCodes.Status503ServiceUnavailable, $"the OpenID provider {options.Issuer} could not be asked for its keys: ask again in a while", why);
}
