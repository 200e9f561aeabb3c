using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Npgsql;

namespace Hami.Api.Access.SigningIn;

/// <summary>
/// Signs somebody in at the OpenID provider's own page: the authorization code flow with PKCE. What comes of it is the ID token, which the page
/// keeps and sends as it does one that was pasted; the control plane keeps no session.
/// </summary>
internal sealed partial class SignIn(OidcOptions oidc, SignInOptions options, HandOver handOver, ILogger<SignIn> logger)
{
    /// <summary>Where it begins, in the browser.</summary>
    public const string Path = "/sign-in";

    /// <summary>Where the provider sends the browser back.</summary>
    public const string CallbackPath = $"{Path}/callback";

    /// <summary>Where the page asks for its token.</summary>
    public const string TokenPath = $"{Path}/token";

    /// <summary>The cookie with the ticket.</summary>
    public const string TicketCookie = "hami-sign-in";

    private const string Scheme = OpenIdConnectDefaults.AuthenticationScheme;
    private const int LongestPath = 2_000;
    private const int LongestReason = 400;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>What the page is told: where to go for it, and with whom it signs in.</summary>
    public static string Invitation(OidcOptions oidc, SignInOptions options) => $"{new Uri(options.Address, Path)} {oidc.Issuer.Authority}";

    /// <summary>Whether this is a path of our own that a browser can be sent to; everything else would lead it, or a new sign-in, elsewhere.</summary>
    public static bool IsOurs(string path) =>
        path.Length is > 0 and <= LongestPath && path[0] == '/' && (path.Length == 1 || path[1] != '/')
        && path.All(c => c is > ' ' and < '\x7f' and not ('\\' or '#')) && !path.StartsWith(Path, StringComparison.OrdinalIgnoreCase);

    /// <summary>Sends the browser to the provider.</summary>
    /// <param name="to">Where it goes when it is back.</param>
    public async Task BeginAsync(HttpContext http, string to)
    {
        try
        {
            await http.ChallengeAsync(Scheme, new() { RedirectUri = to });
        }
        catch (Exception e) when (Troubles.Of(e) is var trouble && !http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            GiveUp(http, to, trouble, e.Message);
        }
    }

    /// <summary>The provider's answer is right: whoever it is for gets the token, if it is of any use here.</summary>
    private async Task EndAsync(TicketReceivedContext context)
    {
        context.HandleResponse();
        var (http, to) = (context.HttpContext, context.ReturnUri ?? "/");
        if (context.Properties?.GetTokenValue("id_token") is not { } token || context.Principal is not { } who)
            GiveUp(http, to, Trouble.Unaccepted, "the provider gave no ID token");
        else if (WhyUseless(who) is { } useless)
            GiveUp(http, to, useless.Trouble, useless.Why);
        else
            await HandOverAsync(http, to, token);
    }

    private async Task HandOverAsync(HttpContext http, string to, string token)
    {
        string ticket;
        try
        {
            ticket = await handOver.KeepAsync(token, http.RequestAborted);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            GiveUp(http, to, Trouble.Unavailable, e.Message);
            return;
        }
        http.Response.Cookies.Append(TicketCookie, ticket, TicketOptions(HandOver.GoodFor));
        Send(http, $"{to}#signed-in");
    }

    private (Trouble Trouble, string Why)? WhyUseless(ClaimsPrincipal who)
    {
        if (OidcGate.ViewerOf(who, oidc) is not { } viewer)
            return (Trouble.Unnamed, $"the token has no claim \"{oidc.NameClaim}\"");
        if (viewer.Scope is not { AllNamespaces: false, Nodes: false, Namespaces.Count: 0 })
            return null;
        return who.HasClaim(c => c.Type == oidc.GroupsClaim)
            ? (Trouble.Nothing, $"--oidc-group names none of the groups of {viewer.Name}")
            : (Trouble.Groups, $"the token of {viewer.Name} names no groups in the claim \"{oidc.GroupsClaim}\": the provider puts them there, at times only for a scope that --oidc-scope asks for");
    }

    /// <summary>Gives the token out that a page has come for.</summary>
    public async Task<IResult> TakeAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store";
        // No form can send it, and another host's script not without asking us first, which nobody answers.
        if (http.Request.Headers.XRequestedWith != "hami")
            return Refusal(StatusCodes.Status403Forbidden, "this is for the web UI's own page: it says \"X-Requested-With: hami\"");
        var ticket = http.Request.Cookies[TicketCookie];
        http.Response.Cookies.Delete(TicketCookie, TicketOptions(maxAge: null));
        try
        {
            return ticket is not null && await handOver.TakeAsync(ticket, http.RequestAborted) is { } token
                ? Results.Json(new { token })
                : Refusal(StatusCodes.Status410Gone, $"nobody has just signed in with this browser, or the token was given out before, or its {HandOver.GoodFor.TotalSeconds} s are over: sign in again");
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            LogTrouble(logger, Trouble.Unavailable, AccessLog.Plain(e.Message, LongestReason));
            return Refusal(StatusCodes.Status503ServiceUnavailable, "PostgreSQL could not be asked: sign in again in a while");
        }
    }

    private Task FailAsync(RemoteFailureContext context)
    {
        context.HandleResponse();
        GiveUp(context.HttpContext, context.Properties?.RedirectUri ?? "/", Troubles.Of(context.Failure), context.Failure?.Message ?? "");
        return Task.CompletedTask;
    }

    /// <summary>Back to the page, which says it in a sentence.</summary>
    private void GiveUp(HttpContext http, string to, Trouble trouble, string why)
    {
        LogTrouble(logger, trouble, AccessLog.Plain(why.ReplaceLineEndings(" "), LongestReason));
        Send(http, $"{(IsOurs(to) ? to : "/")}#sign-in={trouble.ToString().ToLowerInvariant()}");
    }

    private static void Send(HttpContext http, string to)
    {
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers["Referrer-Policy"] = "no-referrer";
        http.Response.Redirect(to);
    }

    private CookieOptions TicketOptions(TimeSpan? maxAge) => new()
    {
        Path = TokenPath, HttpOnly = true, Secure = options.IsOverTls, SameSite = SameSiteMode.Strict, MaxAge = maxAge, IsEssential = true,
    };

    private static IResult Refusal(int status, string sentence) => Results.Json(new { error = sentence }, statusCode: status);

    /// <summary>Sets up the library that speaks with the provider.</summary>
    public static void AddTo(IServiceCollection services, OidcOptions oidc, SignInOptions options)
    {
        services.AddSingleton<HandOver>();
        services.AddSingleton(s => new SignIn(oidc, options, s.GetRequiredService<HandOver>(), s.GetRequiredService<ILogger<SignIn>>()));
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(s =>
            new ConfigureOptions<KeyManagementOptions>(keys => keys.XmlRepository = new KeyRing(s.GetRequiredService<NpgsqlDataSource>())));
        // What one replica writes another reads, wherever it is installed.
        services.AddDataProtection().SetApplicationName("hami-api");
        services.AddAuthentication().AddOpenIdConnect(Scheme, provider => Configure(provider, oidc, options));
    }

    private static void Configure(OpenIdConnectOptions provider, OidcOptions oidc, SignInOptions options)
    {
        provider.Authority = oidc.Issuer.ToString();
        provider.RequireHttpsMetadata = !oidc.Issuer.IsLoopback;
        provider.ClientId = options.ClientId;
        provider.ResponseType = OpenIdConnectResponseType.Code;
        // The browser comes back by an address and not by a form, so that no cookie has to be sent along with other hosts' forms.
        provider.ResponseMode = OpenIdConnectResponseMode.Query;
        provider.PushedAuthorizationBehavior = PushedAuthorizationBehavior.Disable;
        provider.UsePkce = true;
        provider.DisableTelemetry = true;
        provider.MapInboundClaims = false;
        provider.SaveTokens = true; // for the moment until the answer is written: nobody is signed in to this server
        provider.SignInScheme = JwtBearerDefaults.AuthenticationScheme; // one is asked for, none is used
        provider.BackchannelTimeout = Patience;
        provider.TokenValidationParameters.NameClaimType = oidc.NameClaim;
        provider.TokenValidationParameters.ValidIssuers = oidc.Spellings;
        provider.Scope.Clear();
        foreach (var scope in options.Scopes)
            provider.Scope.Add(scope);

        provider.CallbackPath = CallbackPath;
        provider.RemoteSignOutPath = provider.SignedOutCallbackPath = PathString.Empty;
        foreach (var (cookie, name) in new[] { (provider.CorrelationCookie, "hami-correlation."), (provider.NonceCookie, "hami-nonce.") })
        {
            cookie.Name = name;
            cookie.SameSite = SameSiteMode.Lax;
            // Not by how the request came here: TLS may end before us.
            cookie.SecurePolicy = options.IsOverTls ? CookieSecurePolicy.Always : CookieSecurePolicy.None;
        }

        provider.Events.OnMessageReceived = context =>
        {
            // At a listener that is not for people this address does not exist.
            if (context.HttpContext.GetEndpoint() is null)
                context.SkipHandler();
            return Task.CompletedTask;
        };
        provider.Events.OnRedirectToIdentityProvider = context =>
        {
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            context.ProtocolMessage.RedirectUri = new Uri(options.Address, CallbackPath).ToString();
            return Task.CompletedTask;
        };
        provider.Events.OnAuthorizationCodeReceived = async context =>
        {
            // Read for each, as Kubernetes changes a mounted secret while we run.
            if (options.SecretFile is { } file)
                context.TokenEndpointRequest!.ClientSecret = (await File.ReadAllTextAsync(file, context.HttpContext.RequestAborted)).Trim();
        };
        provider.Events.OnTicketReceived = context => context.HttpContext.RequestServices.GetRequiredService<SignIn>().EndAsync(context);
        provider.Events.OnRemoteFailure = context => context.HttpContext.RequestServices.GetRequiredService<SignIn>().FailAsync(context);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Somebody could not sign in ({Trouble}): {Why}")]
    private static partial void LogTrouble(ILogger logger, Trouble trouble, string why);
}

/// <summary>Where signing in is answered.</summary>
internal static class SignInRoutes
{
    /// <summary>Nothing is there unless people can sign in at the provider.</summary>
    public static void MapSignIn(this IEndpointRouteBuilder routes, AccessOptions options)
    {
        if (options.Oidc?.SignIn is null)
            return;
        routes.MapGet(SignIn.Path, (HttpContext http, SignIn signIn, string? to) => BeginAsync(http, signIn, to ?? "/"));
        // The library answers it before; where this is not, it does not.
        routes.Map(SignIn.CallbackPath, () => Results.NotFound());
        routes.MapPost(SignIn.TokenPath, (HttpContext http, SignIn signIn) => signIn.TakeAsync(http));
    }

    private static async Task BeginAsync(HttpContext http, SignIn signIn, string to)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (SignIn.IsOurs(to))
            await signIn.BeginAsync(http, to);
        else
            await Results.Text("to= is no path of the web UI, such as /workloads: open the web UI and sign in there.", statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(http);
    }
}
